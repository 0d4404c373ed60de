use super::*;

const SETTINGS: BreakerSettings = BreakerSettings::USUAL;

fn at(seconds: f64) -> Moment {
    Moment::after_start(Duration::from_secs_f64(seconds))
}

/// Plays a story of `(second, word)`: `ok`, `hard`, `cert`, `ratio`, `neutral` are lessons of ordinary attempts;
/// `free`, `refused` and `trial` ask for admission and expect that answer; `+ok`, `+hard`, `+neutral` end a trial.
fn check(story: &[(f64, &str)]) {
    let mut breaker = Breaker::default();
    for (second, word) in story {
        let now = at(*second);
        let mut learn = |lesson, by| {
            breaker.learn(lesson, by, now, &SETTINGS, 1.0);
        };
        match *word {
            "ok" => learn(Lesson::Success, By::Call),
            "hard" => learn(Lesson::Hard, By::Call),
            "cert" => learn(Lesson::Open, By::Call),
            "ratio" => learn(Lesson::Ratio, By::Call),
            "neutral" => learn(Lesson::Neutral, By::Call),
            "+ok" => learn(Lesson::Success, By::Trial),
            "+hard" => learn(Lesson::Hard, By::Trial),
            "+neutral" => learn(Lesson::Neutral, By::Trial),
            expected => {
                let answer = match breaker.admit(now) {
                    Admission::Free => "free",
                    Admission::Trial => "trial",
                    Admission::Refused(_) => "refused",
                };
                assert_eq!(answer, expected, "at {second} s of {story:?}");
            }
        }
    }
}

#[test]
fn opens_after_five_hard_failures_in_a_row_and_not_before() {
    let four = [(0.0, "hard"); 4];
    check(&[&four[..], &[(0.0, "free"), (0.1, "hard"), (0.1, "refused")]].concat());
    check(&[&four[..], &[(0.1, "ok")], &four[..], &[(0.2, "free")]].concat());
}

#[test]
fn opens_on_a_bad_ratio_with_enough_samples() {
    let mixed: Vec<_> = (0..11).map(|i| (f64::from(i) * 0.1, if i % 3 == 0 { "ok" } else { "hard" })).collect();
    check(&[&mixed[..], &[(1.2, "refused")]].concat());
    let old: Vec<_> = (0..9).map(|i| (f64::from(i) * 0.1, "ratio")).collect();
    check(&[&old[..], &[(40.0, "ratio"), (40.0, "free")]].concat());
}

#[test]
fn a_bad_certificate_opens_at_once() {
    check(&[(0.0, "cert"), (0.0, "refused")]);
}

#[test]
fn neutral_outcomes_never_open_it() {
    check(&[&[(0.0, "neutral"); 100][..], &[(0.0, "free")]].concat());
}

#[test]
fn half_open_lets_one_trial_through_and_two_successes_close_it() {
    let opened = [(0.0, "hard"); 5];
    check(
        &[
            &opened[..],
            &[
                (4.9, "refused"),
                (5.1, "trial"),
                (5.1, "refused"),
                (5.2, "+ok"),
                (5.2, "trial"),
                (5.3, "+ok"),
                (5.3, "free"),
                (5.3, "free"),
            ],
        ]
        .concat(),
    );
}

#[test]
fn f_099_a_trial_without_verdict_gives_the_permit_back() {
    let opened = [(0.0, "hard"); 5];
    check(
        &[&opened[..], &[(5.1, "trial"), (5.2, "+neutral"), (5.2, "trial"), (5.3, "+hard"), (5.4, "refused")]].concat(),
    );
}

#[test]
fn backs_off_but_is_tried_again_within_a_quarter_minute_early_in_an_outage() {
    let mut breaker = Breaker::default();
    for _ in 0..5 {
        breaker.learn(Lesson::Hard, By::Call, at(0.0), &SETTINGS, 1.0);
    }
    let mut now = 0.0;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let wait = breaker.refuses_for(at(now)).unwrap_or_default().as_secs_f64();
        waits.push(wait.round());
        now += wait + 0.001;
        assert_eq!(breaker.admit(at(now)), Admission::Trial);
        breaker.learn(Lesson::Hard, By::Trial, at(now), &SETTINGS, 1.0);
    }
    assert_eq!(waits, [5.0, 10.0, 15.0, 15.0, 15.0]);
}

#[test]
fn a_flapping_vendor_is_held_down() {
    let mut story = Vec::new();
    for opening in 0..3 {
        let start = f64::from(opening) * 30.0;
        story.extend([(start, "hard"); 5]);
        if opening < 2 {
            story.extend([
                (start + 21.0, "trial"),
                (start + 21.0, "+ok"),
                (start + 21.1, "trial"),
                (start + 21.1, "+ok"),
            ]);
        }
    }
    story.extend([(60.0 + 50.0, "refused"), (60.0 + 61.0, "trial")]);
    check(&story);
}

#[test]
fn trickle_is_one_call_a_second() {
    let mut breaker = Breaker::default();
    breaker.learn(Lesson::Open, By::Call, at(0.0), &SETTINGS, 1.0);
    assert_eq!(breaker.admit_trickle(at(0.1)), Admission::Trial);
    breaker.learn(Lesson::Neutral, By::Trial, at(0.2), &SETTINGS, 1.0);
    assert_eq!(breaker.admit_trickle(at(0.5)), Admission::Refused(TRICKLE));
    assert_eq!(breaker.admit_trickle(at(1.2)), Admission::Trial);
    assert_eq!(breaker.admit_trickle(at(2.3)), Admission::Trial, "although the last one hangs");
    assert_eq!(breaker.admit(at(6.0)), Admission::Refused(TRICKLE), "with others left to ask one trial is enough");
}

#[test]
fn f_100_a_success_after_the_open_time_closes_it_and_the_back_off_begins_anew() {
    let opened = [(0.0, "hard"); 5];
    check(
        &[&opened[..], &[(3.0, "ok"), (3.1, "ok"), (3.2, "refused"), (5.1, "ok"), (5.2, "ok"), (5.3, "free")]].concat(),
    );
    let mut breaker = Breaker::default();
    let open_for = |breaker: &mut Breaker, second| {
        for _ in 0..5 {
            breaker.learn(Lesson::Hard, By::Call, at(second), &SETTINGS, 1.0);
        }
        breaker.refuses_for(at(second))
    };
    let first = open_for(&mut breaker, 0.0);
    for _ in 0..2 {
        breaker.learn(Lesson::Success, By::Call, at(6.0), &SETTINGS, 1.0);
    }
    assert_eq!(open_for(&mut breaker, 60.0), first, "half a minute of health is forgiven");
}

#[test]
fn f_101_who_is_up_and_down_every_five_seconds_changes_the_state_rarely() {
    let mut breaker = Breaker::default();
    let (mut transitions, mut failed, mut calls) = (0, 0, 0);
    for tenth in 0..6000 {
        let (now, up) = (at(f64::from(tenth) / 10.0), (tenth / 50) % 2 == 0);
        let by = match breaker.admit(now) {
            Admission::Refused(_) => continue,
            Admission::Free => By::Call,
            Admission::Trial => By::Trial,
        };
        calls += 1;
        failed += u32::from(!up);
        let lesson = if up { Lesson::Success } else { Lesson::Hard };
        // a trial that failed is no transition: it stays open
        let transition = breaker.learn(lesson, by, now, &SETTINGS, 1.0);
        transitions += u32::from(transition.is_some_and(|made| made != Transition::Opened("trial_failed")));
    }
    assert!(transitions <= 12, "{transitions} transitions in 10 min");
    assert!(failed <= 60, "{failed} of {calls} calls were wasted");
}

#[test]
fn a_trial_that_is_lost_does_not_keep_it_open_for_ever() {
    let opened = [(0.0, "hard"); 5];
    check(&[&opened[..], &[(5.1, "trial"), (800.0, "refused"), (906.0, "trial")]].concat());
}

#[test]
fn the_vendors_own_word_keeps_it_open_for_five_minutes_at_most() {
    let mut breaker = Breaker::default();
    breaker.learn(Lesson::Open, By::Call, at(0.0), &SETTINGS, 1.0);
    breaker.wait_for(Duration::from_secs(90), at(0.0));
    assert_eq!(breaker.refuses_for(at(0.0)), Some(Duration::from_secs(90)));
    breaker.wait_for(Duration::from_secs(9000), at(0.0));
    assert_eq!(breaker.refuses_for(at(0.0)), Some(Duration::from_secs(300)));
}

#[test]
fn streams_that_all_break_off_open_it_although_each_had_begun_well() {
    let mut breaker = Breaker::default();
    for i in 0..12 {
        let now = at(f64::from(i));
        breaker.learn(Lesson::Success, By::Call, now, &SETTINGS, 1.0);
        breaker.take_back(now);
        breaker.learn(Lesson::Hard, By::Call, now, &SETTINGS, 1.0);
    }
    assert!(!breaker.is_closed());
}
