/* A network over a whole split: logits for every sample, or their mean loss and accuracy. */
#include <math.h>

#include "base/checked.h"
#include "base/error.h"
#include "network/loss.h"
#include "relume/trainer.h"

/* Sample panels to rows, `first` being the row of the batch's first sample. */
static void logits_unpack(const struct rlm_pass *pass, size_t outputs, float *logits, size_t first)
{
    const float *panels = pass->layer[pass->network->layer_count - 1].z;
    for (size_t b = 0; b < pass->batch; b++)
        for (size_t n = 0; n < outputs; n++)
            logits[(first + b) * outputs + n] =
                panels[(b / RLM_LANES * outputs + n) * RLM_LANES + b % RLM_LANES];
}

relume_status relume_network_predict(const relume_network *network, const relume_dataset *dataset,
                                     relume_split split, float *logits, relume_error *error)
{
    rlm_error_clear(error);
    RLM_TRY(rlm_pass_check(network, dataset, error));
    struct rlm_rows rows = rlm_dataset_rows(dataset, split);
    size_t capacity = rlm_pass_capacity(rows.count), outputs = relume_network_get_out_features(network);
    struct rlm_pass pass;
    RLM_TRY(rlm_pass_init(&pass, network, capacity, 0, error));
    relume_status status = RELUME_OK;
    for (size_t done = 0; status == RELUME_OK && done < rows.count; done += pass.batch) {
        struct rlm_batch batch = {.dataset = dataset,
                                  .first = rows.first + done,
                                  .count = rlm_size_min(capacity, rows.count - done)};
        struct rlm_fault fault;
        if (rlm_pass_run(&pass, &batch, &fault))
            logits_unpack(&pass, outputs, logits, done);
        else
            status = rlm_fault_report(&fault, network, "predicting", error);
    }
    rlm_pass_deinit(&pass);
    return status;
}

static relume_status rows_evaluate(struct rlm_pass *pass, struct rlm_loss_pass *loss,
                                   const relume_dataset *dataset, struct rlm_rows rows,
                                   struct rlm_loss_sum *sum, relume_error *error)
{
    for (size_t done = 0; done < rows.count; done += pass->batch) {
        struct rlm_batch batch = {.dataset = dataset,
                                  .first = rows.first + done,
                                  .count = rlm_size_min(pass->capacity, rows.count - done)};
        struct rlm_fault fault;
        if (!rlm_pass_run(pass, &batch, &fault))
            return rlm_fault_report(&fault, pass->network, "evaluating", error);
        rlm_loss_run(loss, pass, &batch, NULL);
        rlm_loss_add(loss, batch.count, sum);
    }
    if (sum->samples > 0 && !isfinite(sum->loss))
        return rlm_error_set(error, RELUME_DIVERGED, "evaluating: the loss over dataset %s is %g",
                             dataset->name, sum->loss);
    return RELUME_OK;
}

relume_status relume_network_evaluate(const relume_network *network, const relume_dataset *dataset,
                                      relume_split split, relume_score *score, relume_error *error)
{
    return rlm_network_evaluate_beside(network, dataset, split, NULL, score, error);
}

relume_status rlm_network_evaluate_beside(const relume_network *network, const relume_dataset *dataset,
                                          relume_split split, const struct rlm_pass *lender,
                                          relume_score *score, relume_error *error)
{
    rlm_error_clear(error);
    RLM_TRY(rlm_pass_check(network, dataset, error));
    RLM_TRY(rlm_loss_check(network, dataset, error));
    struct rlm_rows rows = rlm_dataset_rows(dataset, split);
    struct rlm_pass pass;
    struct rlm_loss_pass loss = {0};
    struct rlm_loss_sum sum = {0};
    unsigned wants = RLM_PASS_ACTIVE | RLM_PASS_LIVE; /* the cost follows the living here, too */
    RLM_TRY(rlm_pass_init_beside(&pass, network, rlm_pass_capacity(rows.count), wants, lender, error));
    relume_status status = rlm_loss_init(&loss, network, dataset, pass.capacity, error);
    if (status == RELUME_OK)
        status = rows_evaluate(&pass, &loss, dataset, rows, &sum, error);
    rlm_loss_deinit(&loss);
    rlm_pass_deinit(&pass);
    if (status == RELUME_OK)
        *score = (relume_score){rlm_loss_mean(&sum), rlm_loss_accuracy(&sum, dataset)};
    return status;
}
