/* Coasting against plain repetition: every step made by the kernel, every sample counted at every step. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "layer_case.h"

#define UNITS 3000
#define STEPS 400

/* A dead unit that is likely to come back, or not: pushed below the gate, carried upward. */
static void make_dead(struct layer_case *c)
{
    for (int tries = 0; tries < 60 && !case_dead(c, c->before); tries++)
        c->before[c->inputs.features] -= 0.5f;
    for (size_t i = 0; i <= c->inputs.features; i++) {
        c->s1[i] = (float)(-fabs((double)c->s1[i]) * 3.0 * case_uniform(c));
        c->s2[i] = 1e-3f + c->s2[i];
    }
    c->options.learning_rate = pow(10.0, -3.0 + 2.0 * case_uniform(c));
}

static struct rlm_coast coast_of(struct layer_case *c)
{
    return (struct rlm_coast){.inputs = &c->inputs,
                              .options = &c->options,
                              .step = c->move.step,
                              .steps = 1000,
                              .variant = c->before,
                              .s1 = c->move.s1 ? c->s1 : NULL,
                              .s2 = c->move.s2 ? c->s2 : NULL};
}

struct truth {
    struct rlm_turn turn[STEPS];
    size_t turns;
};

static void brute_force(struct layer_case copy, struct truth *truth)
{
    _Alignas(64) float zeros[CASE_STRIDE] = {0};
    struct rlm_coast coast = coast_of(&copy);
    bool alive = !case_dead(&copy, copy.before);
    truth->turns = 0;
    for (int i = 0; i < STEPS; i++) {
        rlm_coast_step(&coast, zeros);
        bool now = !case_dead(&copy, copy.before);
        if (now != alive)
            truth->turn[truth->turns++] = (struct rlm_turn){coast.step, now};
        alive = now;
    }
}

static void test_course_is_brute_forces(void **state)
{
    size_t units = check_rounds(UNITS, UNITS / 3), returned = 0, settled = 0,
           by_optimizer[RELUME_OPTIMIZER_COUNT] = {0};
    for (uint64_t seed = 0; seed < units; seed++) {
        struct layer_case c;
        struct rlm_bench bench;
        static struct truth truth;
        struct rlm_turn turn[STEPS];
        struct rlm_course course = {.turn = turn, .turn_capacity = STEPS};
        relume_error error;
        case_begin(&c, *state, seed);
        make_dead(&c);
        assert_ok(rlm_bench_init(&bench, &c.inputs, &error), error);
        brute_force(c, &truth);
        bool alive = !case_dead(&c, c.before);
        struct rlm_coast coast = coast_of(&c);
        rlm_coast_scan(&coast, alive, c.move.step + STEPS, false, &bench, &course);
        if (course.turn_count != truth.turns)
            fail_msg("seed %llu: %zu turns, brute force %zu", (unsigned long long)seed, course.turn_count,
                     truth.turns);
        for (size_t i = 0; i < truth.turns; i++) {
            assert_int_equal(turn[i].step, truth.turn[i].step);
            assert_int_equal(turn[i].alive, truth.turn[i].alive);
        }
        returned += truth.turns > 0;
        by_optimizer[c.options.optimizer] += truth.turns > 0;
        settled += course.settled;
        rlm_bench_deinit(&bench);
        case_end(&c);
    }
    print_message("# %zu units: %zu turned, %zu settled; by optimizer %zu %zu %zu %zu %zu\n", units, returned,
                  settled, by_optimizer[0], by_optimizer[1], by_optimizer[2], by_optimizer[3],
                  by_optimizer[4]);
    assert_true(returned > units / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_course_is_brute_forces),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
