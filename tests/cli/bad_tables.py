"""Bad CSV files. See bad_making.py."""
import io
import zipfile

from bad_making import case, csv


@case
def csv_empty_file(folder):
    return csv(folder, "")


@case
def csv_header_alone(folder):
    return csv(folder, "a,b,y\n")


@case
def csv_empty_field(folder):
    return csv(folder, "width,height,y\n1,2,0\n3,,1\n")


@case
def csv_text_among_numbers(folder):
    return csv(folder, "width,height,y\n1,2,0\n3,tall,1\n")


@case
def csv_decimal_commas(folder):
    return csv(folder, 'width,height,y\n"1,5",2,0\n"3,5",4,1\n')


@case
def csv_semicolons(folder):
    return csv(folder, "width;height;y\n1;2;0\n3;4;1\n")


@case
def csv_nan(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,NaN,1\n")


@case
def csv_beyond_float32(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,1e40,1\n")


@case
def csv_hexadecimal(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,0x1F,1\n")


@case
def csv_row_short(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,1\n")


@case
def csv_row_long(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,1,0,5\n")


@case
def csv_row_short_with_a_text(folder):
    return csv(folder, "a,b,c,d,kind\n1,2,3,4,cat\n5,6,dog\n7,8,9,1,cat\n", "--target", "kind")


@case
def csv_row_long_with_a_text(folder):
    return csv(folder, "a,b,kind\n1,2,cat\n3,4,5,dog,6\n", "--target", "kind")


@case
def csv_row_short_without_a_header(folder):
    return csv(folder, "1,2,3,0\n4,,1\n", "--target", "4")


@case
def csv_row_short_at_the_end(folder):
    return csv(folder, "a,b,kind\n1,2,cat\n3,tall", "--target", "kind")


@case
def csv_quote_not_closed(folder):
    return csv(folder, 'a,b,y\n1,2,0\n3,"4,1\n5,6,0\n')


@case
def csv_tabs(folder):
    return csv(folder, "width\theight\ty\n1\t2\t0\n3\t4\t1\n")


@case
def csv_quote_inside(folder):
    return csv(folder, 'a,b,y\n1,2,0\n3,4"5,1\n')


@case
def csv_utf_16(folder):
    return csv(folder, "a,b,y\n1,2,0\n".encode("utf-16"))


@case
def csv_is_a_spreadsheet(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml", (2000, 1, 1, 0, 0, 0)), "<workbook/>")
    return csv(folder, buffer.getvalue())


@case
def csv_zero_byte(folder):
    return csv(folder, b"a,b,y\n1,2,0\n3,\0,1\n")


@case
def csv_label_in_latin_1(folder):
    return csv(folder, "a,y\n1,Bär\n2,Hund\n".encode("latin-1"))


@case
def csv_label_empty(folder):
    return csv(folder, "a,y\n1,cat\n2,\n")


@case
def csv_target_not_named(folder):
    return csv(folder, "a,b,y\n1,2,0\n3,4,1\n", "--seed", "0")


@case
def csv_target_mistyped(folder):
    return csv(folder, "width,height,class\n1,2,0\n3,4,1\n", "--target", "clas")


@case
def csv_target_beyond_the_columns(folder):
    return csv(folder, "1,2,0\n3,4,1\n", "--target", "4")


@case
def csv_target_infinite(folder):
    return csv(folder, "a,y\n1,0.5\n2,inf\n")
