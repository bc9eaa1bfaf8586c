// The facts of a run, as `relume report RUN --json` prints them: docs/schemas/report-1.json says what each field means.

import { type Packed } from "./packed";

export interface Score {
  loss: number | null;
  accuracy: number | null;
}

/** One value an epoch, epoch 0 being the start. A number that does not exist is null. */
export interface Epochs {
  epoch: number[];
  step: number[];
  learning_rate: (number | null)[];
  train_loss: (number | null)[];
  train_accuracy: (number | null)[];
  test_loss: (number | null)[];
  test_accuracy: (number | null)[];
  dead: (number | null)[];
}

/** log10 of the length of each epoch's last update over that of the weights it moved. */
export type UpdateRatio = { step: number[]; log10: (number | null)[] } | null;

export interface LayerFacts {
  layer: string;
  name: string;
  units: number;
  dead: number;
  nearly_dead: number;
  always_on: number;
  mute: number;
  mean_firing_rate: number;
  born_dead: number;
  deaths: number;
  revivals: number;
  dead_by_epoch: (number | null)[];
  update_ratio: UpdateRatio;
  active: Packed;
  margin: Packed;
  mean_activation: Packed;
}

/** A death as relume.autopsy/1 tells it. */
export interface Death {
  unit: string;
  kind: "born dead" | "killed";
  step: number;
  epoch: number;
  learning_rate: number | null;
  fired_before: number | null;
  margin_before: number | null;
  margin_after: number | null;
  sample: number | null;
  change: {
    own_weights: number;
    own_bias: number;
    below: number;
    gradient: number;
    momentum: number;
    decay: number;
    rounding: number;
  } | null;
  causes: string[];
  /** No part of the update was necessary alone; the causes are those that together were. */
  overdetermined: boolean;
  /** Units of its layer that the same update killed, of those looked at. */
  layer_deaths: number;
  bias: number | null;
  input_gamma: number | null;
  update_ratio: number | null;
  /** 0 to 100: beside the layer's other units in this update. */
  update_percentile: number | null;
  largest_safe_lr: number | null;
  /** An upper end of null is infinite. */
  lethal_lr: [number | null, number | null] | null;
  pushers: { sample: number; push: number; norm_ratio: number | null; decisive: boolean | null }[];
  outlier: boolean;
  drift: { from: number; to: number; margin: number; fired: number } | null;
  prognosis: { verdict: string; revives_at: number | null; because: string; never: boolean; as_of: number; margin: number | null; distance: number | null };
}

/** Deaths of one layer that were of the same making. */
export interface Way {
  layer: string;
  kind: "born dead" | "killed";
  causes: string[];
  overdetermined: boolean;
  deaths: number;
  first_step: number;
  last_step: number;
  never: number;
  returns: number;
  open: number;
}

/** Rows of a sweep: one run a learning rate, this one among them. */
export interface SweepRow {
  run: string;
  own: boolean;
  deaths: number;
  learning_rate: number;
  dead_fraction: number | null;
  accuracy: number | null;
  diverged: boolean;
}

export interface ForecastLayer {
  layer: string;
  expected: number | null;
  born_dead_fraction: number;
}

export interface Facts {
  schema: string;
  relume: string;
  run: string;
  state: "finished" | "unfinished" | "diverged";
  complete_to: { epoch: number; step: number };
  model_step: number;
  best_epoch: number;
  dataset: {
    name: string;
    split: string;
    samples: number;
    features: number;
    image: [number, number] | null;
    classes: string[] | null;
    columns: string[] | null;
    /** Why the data could not be looked at; then there are no `units`. */
    trouble: string | null;
  };
  network: { widths: number[]; parameters: number; parameters_without_dead: number };
  settings: Record<string, string>;
  score: { train: Score; test: Score | null };
  ledger: { born_dead: number; deaths: number; revivals: number; dead_at_end: number };
  hidden_units: number;
  dead: number;
  dead_fraction: number;
  verdict: { tone: string; headline: string; points: { about: string; text: string }[] };
  epochs: Epochs;
  steps: { width: number; step: number[]; deaths: number[]; revivals: number[] };
  layers: LayerFacts[];
  output_layer: { units: number; update_ratio: UpdateRatio };
  map: {
    encoding: "counts" | "rates";
    of: number;
    step: number[];
    epoch: number[];
    accuracy: (number | null)[];
    layers: Packed[];
    margins: (Packed | null)[];
  };
  events: {
    count: number;
    kept: number;
    exact: number;
    layer: Packed;
    unit: Packed;
    kind: Packed;
    after_step: Packed;
    step: Packed;
  };
  units: {
    of: number;
    count: number;
    layer: Packed;
    unit: Packed;
    bins: number;
    width: Packed;
    histogram: Packed;
    bias: Packed;
    weight_norm: Packed;
    top: { each: number; sample: Packed; p: Packed };
    weights: { rows: number; columns: number; scale: Packed; value: Packed } | null;
  } | null;
  samples: { count: number; index: Packed; label: Packed | null; image: Packed | null } | null;
  autopsy: Death[] | null;
  autopsy_account: {
    /** Why there is no autopsy, where units are dead. */
    left_out: string | null;
    deaths: number;
    /** Deaths told one by one in `autopsy`. */
    kept: number;
    causes: Way[];
  };
  sweep: { rows: SweepRow[]; says: string } | null;
  forecast: { layers: ForecastLayer[]; steps: number; safe_learning_rate: number | null } | null;
  /** A continuation: map, events and rows by epoch hold only what happened after this step. */
  since?: number;
}

/** A run in a list, as `relume serve FOLDER` tells it: docs/serve.md. */
export interface Summary {
  schema: string;
  run: string;
  state: "finished" | "unfinished" | "diverged";
  step: number;
  epoch: number;
  hidden_units: number;
  samples: number;
  settings: Record<string, string | null>;
  epochs: Pick<Epochs, "epoch" | "train_loss" | "test_loss" | "train_accuracy" | "test_accuracy" | "dead">;
}

export interface Listed {
  index: number;
  run: Summary;
}

export interface RunsFacts {
  schema: "relume.runs/1";
  relume: string;
  mark: number;
  runs: Listed[];
}
