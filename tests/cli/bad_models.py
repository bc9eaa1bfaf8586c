"""Bad models, runs, folders and names. See bad_making.py."""
import io
import pickle
import sqlite3
import struct
import zipfile

import numpy

from bad_making import LAYERS, METADATA, TRAIN, case, header_bytes, model, net, npy_bytes, one_tensor, tensors_bytes

# ---- models ----


@case
def model_empty_file(folder):
    return model(folder, b"")


@case
def model_is_a_pickle(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl", (2000, 1, 1, 0, 0, 0)), pickle.dumps({}))
    (folder / "model.pt").write_bytes(buffer.getvalue())
    return ["inspect", "model.pt"]


@case
def model_is_a_pytorch_file(folder):
    model_is_a_pickle(folder)
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 3), "f4")))
    return ["predict", "model.pt", "x.npy"]


@case
def model_is_a_bare_pickle(folder):
    (folder / "model.joblib").write_bytes(pickle.dumps({"weights": list(range(100))}, 4))
    return ["train", "digits", "--init-from", "model.joblib", *TRAIN]


@case
def model_is_onnx(folder):
    (folder / "model.onnx").write_bytes(b"\x08\x07\x12\x07pytorch\x1a\x051.13.")
    return ["census", "model.onnx", "digits"]


@case
def model_and_data_in_the_wrong_order(folder):
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 3), "f4")))
    return ["predict", "x.npy", "run"]


@case
def model_header_beyond_the_file(folder):
    return model(folder, struct.pack("<Q", 5000) + b"{}")


@case
def model_header_of_exabytes(folder):
    return model(folder, b"\xff" * 8 + b"{}")


@case
def model_header_no_json(folder):
    return model(folder, header_bytes('{"a.weight": {"dtype": F32}}'))


@case
def model_name_twice(folder):
    entry = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    return model(folder, header_bytes("{%s, %s}" % (entry, entry)) + bytes(4))


@case
def model_unknown_dtype(folder):
    return one_tensor(folder, {"dtype": "F4", "shape": [2, 2], "data_offsets": [0, 16]})


@case
def model_negative_size(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [2, -2], "data_offsets": [0, 16]})


@case
def model_shape_beyond_64_bits(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 16]})


@case
def model_shape_against_offsets(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 16]})


@case
def model_gap_between_tensors(folder):
    return one_tensor(folder, {"dtype": "F32", "shape": [2, 2], "data_offsets": [4, 20]}, 20)


@case
def model_values_cut(folder):
    return model(folder, tensors_bytes(LAYERS)[:-6])


@case
def model_bytes_at_the_end(folder):
    return model(folder, tensors_bytes(LAYERS) + b"hidden")


@case
def model_with_convolution(folder):
    return model(folder, tensors_bytes({"conv1.weight": numpy.ones((8, 3, 3, 3), "f4")}))


@case
def model_layers_do_not_chain(folder):
    return model(folder, tensors_bytes({"fc1.weight": numpy.ones((4, 3), "f4"), "fc2.weight": numpy.ones((2, 5), "f4")}))


@case
def model_of_whole_numbers(folder):
    return model(folder, tensors_bytes({"fc1.weight": numpy.ones((4, 3), "i8")}))


@case
def model_without_layers(folder):
    return model(folder, tensors_bytes({}))


@case
def model_with_nan(folder):
    weight = LAYERS["out.weight"].copy()
    weight[1, 2] = numpy.nan
    return net(folder, {"out.weight": weight})


@case
def model_without_architecture(folder):
    return model(folder, tensors_bytes(LAYERS, {"relume": "0.1.0"}))


@case
def model_against_its_architecture(folder):
    return net(folder, architecture="[3, 5, 2]")


@case
def model_lacks_a_layer(folder):
    return net(folder, architecture="[3, 4, 4, 2]")


@case
def model_lacks_a_bias(folder):
    tensors = {name: array for name, array in LAYERS.items() if name != "h1.bias"}
    return model(folder, tensors_bytes(tensors, METADATA))


@case
def model_bias_too_short(folder):
    return net(folder, {"h1.bias": numpy.zeros(3, "f4")})


@case
def model_scaling_divides_by_zero(folder):
    return net(folder, scaling="[0, 0]")


@case
def model_unknown_loss(folder):
    return net(folder, loss="hinge")


@case
def model_for_other_data(folder):
    net(folder)
    (folder / "x.npy").write_bytes(npy_bytes(numpy.ones((4, 7), "f4")))
    return ["census", "model.safetensors", "x.npy"]


# ---- runs, folders, names ----


@case
def run_with_history_of_garbage(folder):
    (folder / "old").mkdir()
    (folder / "old/history.sqlite").write_bytes(b"this is no database " * 100)
    return ["report", "old"]


@case
def run_with_empty_history(folder):
    (folder / "old").mkdir()
    (folder / "old/history.sqlite").write_bytes(b"")
    return ["report", "old"]


@case
def run_with_history_of_another_program(folder):
    (folder / "old").mkdir()
    database = sqlite3.connect(folder / "old/history.sqlite")
    database.execute("CREATE TABLE moz_places (id INTEGER)")
    database.commit()
    database.close()
    return ["report", "old"]


@case
def run_is_a_folder_of_other_things(folder):
    (folder / "old").mkdir()
    for name in ("notes.txt", "b.png", "c.png", "a.png", "d.png"):
        (folder / "old" / name).write_text("not a run")
    return ["inspect", "old"]


@case
def run_is_an_empty_folder(folder):
    (folder / "old").mkdir()
    return ["inspect", "old"]


@case
def run_is_a_folder_of_runs(folder):
    for name in ("rate-0.2", "rate-0.1"):
        (folder / "old" / name).mkdir(parents=True)
        (folder / "old" / name / "history.sqlite").write_bytes(b"")
    return ["inspect", "old"]


@case
def data_missing(folder):
    return ["train", "mnist.npz", *TRAIN]


@case
def data_name_mistyped(folder):
    return ["train", "digit", *TRAIN]


@case
def data_of_no_known_kind(folder):
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    return ["train", "picture.png", *TRAIN]


@case
def model_is_a_folder_that_is_no_run(folder):
    (folder / "empty").mkdir()
    return ["census", "empty", "digits"]
