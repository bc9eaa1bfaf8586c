/* The ledger on gates and censuses made by hand: each kind of event, its bracket, and the silence counters to
 * the sample. That the events are true of training is tests/property/test_ledger_property.c. */
#include "world.h"

#include "census/ledger.h"

#define UNITS 3

struct stage {
    relume_engine *engine;
    relume_network *network;
    relume_census *census;
    struct rlm_ledger ledger;
    uint64_t step;
};

static struct stage stage_make(bool gradient_only)
{
    struct stage stage = {.engine = world_engine(NULL, 1, NULL)};
    relume_error error = {0};
    stage.network = world_network(stage.engine, (const size_t[]){2, UNITS, UNITS, 1, 0}, RELUME_LOSS_MSE, 0);
    assert_ok(rlm_census_create_stored(stage.network, 100, NULL, &stage.census, &error), error);
    assert_ok(rlm_ledger_init(&stage.ledger, stage.network, gradient_only, &error), error);
    return stage;
}

static void stage_free(struct stage *stage)
{
    rlm_ledger_deinit(&stage->ledger);
    relume_census_destroy(stage->census);
    relume_network_destroy(stage->network);
    relume_engine_destroy(stage->engine);
}

/* One step of `batch` samples in which unit `unit` of both layers opens for `sample` (from 0) only; −1: no
 * unit does. */
static void stage_step(struct stage *stage, size_t batch, int unit, size_t sample)
{
    uint16_t gates[4 * UNITS] = {0};
    uint32_t active[UNITS] = {0};
    if (unit >= 0) {
        gates[sample / 16 * UNITS + (size_t)unit] = (uint16_t)(1u << sample % 16);
        active[unit] = 1;
    }
    struct rlm_layer_step layers[2] = {{UNITS, gates, active}, {UNITS, gates, active}};
    struct rlm_step_view view = {
        .step = ++stage->step, .epoch = 1, .batch = batch, .layers = 2, .layer = layers};
    struct rlm_observer observer = rlm_ledger_observer(&stage->ledger);
    observer.stepped(observer.user, &view);
}

/* A census at which unit 0 of both layers is dead or alive, and the others alive. */
static void stage_census(struct stage *stage, bool dead)
{
    for (size_t l = 0; l < 2; l++)
        for (size_t u = 0; u < UNITS; u++)
            stage->census->layer[l].unit[u].active = u == 0 && dead ? 0 : 5;
    rlm_ledger_enter(&stage->ledger, stage->census, stage->step);
}

static void assert_event(const struct rlm_ledger *ledger, size_t index, relume_event expected)
{
    assert_true(index < ledger->event_count);
    const relume_event *event = &ledger->event[index];
    assert_int_equal(event->layer, expected.layer);
    assert_int_equal(event->unit, expected.unit);
    assert_int_equal(event->kind, expected.kind);
    assert_int_equal(event->after_step, expected.after_step);
    assert_int_equal(event->step, expected.step);
    assert_int_equal(event->exact, expected.exact);
}

static void test_born_dead(void **state)
{
    (void)state;
    struct stage stage = stage_make(true);
    stage_census(&stage, true);
    assert_int_equal(stage.ledger.event_count, 2);
    assert_event(&stage.ledger, 0, (relume_event){0, 0, RELUME_BORN_DEAD, 0, 0, 1});
    assert_event(&stage.ledger, 1, (relume_event){1, 0, RELUME_BORN_DEAD, 0, 0, 1});
    stage_step(&stage, 4, 1, 0);
    stage_census(&stage, true); /* still dead: nothing new */
    assert_int_equal(stage.ledger.event_count, 0);
    assert_int_equal(stage.ledger.layer[0].born_dead, 1);
    stage_free(&stage);
}

/* Fires at step 2 of 5, dead after 5: the first layer under plain SGD died of update 2; for all else it is
 * known to lie in 2 to 5. */
static void test_death(void **state)
{
    (void)state;
    for (int gradient_only = 0; gradient_only < 2; gradient_only++) {
        struct stage stage = stage_make(gradient_only != 0);
        stage_census(&stage, false);
        stage_step(&stage, 4, 0, 3);
        stage_step(&stage, 4, 0, 0);
        for (int i = 0; i < 3; i++)
            stage_step(&stage, 4, 1, 0);
        stage_census(&stage, true);
        assert_int_equal(stage.ledger.event_count, 2);
        relume_event bracket = {0, 0, RELUME_KILLED, 1, 5, 0}, exact = {0, 0, RELUME_KILLED, 1, 2, 1};
        assert_event(&stage.ledger, 0, gradient_only ? exact : bracket);
        bracket.layer = 1;
        assert_event(&stage.ledger, 1, bracket);
        stage_free(&stage);
    }
}

/* A unit that did not fire since the last census: the bracket is all that lies between the two. */
static void test_death_in_silence(void **state)
{
    (void)state;
    struct stage stage = stage_make(false);
    stage_step(&stage, 4, 0, 0);
    stage_census(&stage, false);
    for (int i = 0; i < 3; i++)
        stage_step(&stage, 4, -1, 0);
    stage_census(&stage, true);
    assert_event(&stage.ledger, 0, (relume_event){0, 0, RELUME_KILLED, 1, 4, 0});
    stage_step(&stage, 4, -1, 0);
    stage_census(&stage, false); /* alive again, and did not fire meanwhile */
    assert_event(&stage.ledger, 0, (relume_event){0, 0, RELUME_REVIVED, 4, 5, 1});
    stage_free(&stage);
}

/* Dead at both censuses, yet it fired at steps 4 and 6 in between: it returned by step 3 and died again after
 * step 5. */
static void test_episode_between_two_censuses(void **state)
{
    (void)state;
    struct stage stage = stage_make(false);
    stage_census(&stage, true);
    for (int step = 1; step <= 9; step++)
        stage_step(&stage, 4, step == 4 || step == 6 ? 0 : 1, 1);
    stage_census(&stage, true);
    assert_int_equal(stage.ledger.event_count, 4);
    assert_event(&stage.ledger, 0, (relume_event){0, 0, RELUME_REVIVED, 0, 3, 0});
    assert_event(&stage.ledger, 1, (relume_event){0, 0, RELUME_KILLED, 5, 9, 0});
    assert_int_equal(stage.ledger.layer[1].deaths, 1);
    assert_int_equal(stage.ledger.layer[1].revivals, 1);
    stage_free(&stage);
}

static void test_silence_is_exact_to_the_sample(void **state)
{
    (void)state;
    struct stage stage = stage_make(false);
    stage_step(&stage, 50, 0, 49);
    assert_int_equal(rlm_ledger_silent(&stage.ledger, 0, 0), 0);
    assert_int_equal(rlm_ledger_silent(&stage.ledger, 1, 1), 50); /* never fired: silent for all */
    stage_step(&stage, 50, 1, 17);
    assert_int_equal(rlm_ledger_silent(&stage.ledger, 0, 0), 50);
    assert_int_equal(rlm_ledger_silent(&stage.ledger, 0, 1), 32);
    stage_step(&stage, 7, 1, 0);
    assert_int_equal(rlm_ledger_silent(&stage.ledger, 0, 1), 6);
    assert_int_equal(rlm_ledger_silent(&stage.ledger, 0, 2), 107);
    assert_int_equal(rlm_ledger_count_silent(&stage.ledger, 0, 57), 2);
    assert_int_equal(rlm_ledger_count_silent(&stage.ledger, 0, 58), 1);
    assert_int_equal(stage.ledger.layer[0].last_step[1], 3);
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_born_dead),
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_death_in_silence),
        cmocka_unit_test(test_episode_between_two_censuses),
        cmocka_unit_test(test_silence_is_exact_to_the_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
