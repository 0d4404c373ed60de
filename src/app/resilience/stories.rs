//! Single faults, and what clients and vendors see of them.

use super::lab::{Plan, Seen};
use super::vendors::{Spell, Trouble};

pub(super) const fn spell(from_s: f64, to_s: f64, trouble: Trouble) -> Spell {
    Spell { from_s, to_s, trouble }
}

/// The longest that an answer of a vendor takes who is well.
const FALLBACK_S: f64 = 2.1;

pub(super) fn failed(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|call| !call.served).collect()
}

#[test]
fn f_079_what_the_second_vendor_cannot_take_so_suddenly_goes_to_the_third() {
    let accelerates = vec![spell(0.0, 400.0, Trouble::Accelerates(1.5))];
    let plan = Plan::of(vec![vec![spell(60.0, 400.0, Trouble::Status(503, 1.0))], accelerates, vec![]]);
    let (seen, second) = plan.run(async |lab| {
        lab.calls_until(240.0, 50.0).await;
        (lab.seen().await, lab.vendors[1].seconds())
    });
    assert!(failed(&seen).len() * 100 <= seen.len(), "{} of {}", failed(&seen).len(), seen.len());
    let (mut came, mut throttled) = (0, 0);
    for life in second.iter().skip(70) {
        came += life.came;
        throttled += life.throttled;
    }
    println!("{throttled} of {came} at the second vendor were throttled");
    assert!(came > 500, "it is used: {came}");
    assert!(throttled * 20 <= came, "{throttled} of {came} attempts at the second vendor were throttled");
}

#[test]
fn f_097_a_primary_that_was_down_for_a_minute_is_used_again_within_thirty_seconds() {
    for trouble in [Trouble::Status(503, 1.0), Trouble::Refuses, Trouble::Silent(1.0)] {
        let plan = Plan::of(vec![vec![spell(10.0, 70.0, trouble)], vec![]]);
        let (seen, attempts) = plan.run(async |lab| {
            lab.calls_until(130.0, 0.25).await;
            let primary = lab.vendors[0].seconds();
            let outage = primary.iter().take(70).skip(10);
            (lab.seen().await, outage.map(|second| second.came).sum::<u32>())
        });
        assert_eq!(failed(&seen).len(), 0, "{trouble:?}: {:?}", failed(&seen));
        assert!(attempts <= 9, "{trouble:?}: {attempts} attempts in the outage");
        // who is silent costs a trial its patience now and then; the others cost nothing that one can feel
        if !matches!(trouble, Trouble::Silent(_)) {
            let later = seen.iter().filter(|call| (10.0..70.0).contains(&call.at_s)).skip(5);
            let longest = later.map(|call| call.took_s).fold(0.0, f64::max);
            assert!(longest < FALLBACK_S + 0.5, "{trouble:?}: {longest} s once five calls had failed there");
        }
        let back = seen.iter().find(|call| call.at_s >= 70.0 && call.by == Some(0)).map(|call| call.at_s);
        assert!(back.is_some_and(|at| at <= 100.0), "{trouble:?}: back at {back:?}");
    }
}

#[test]
fn f_097_it_works_with_a_single_deployment() {
    let plan = Plan::of(vec![vec![spell(10.0, 70.0, Trouble::Status(503, 1.0))]]);
    let seen = plan.run(async |lab| {
        lab.calls_until(130.0, 0.25).await;
        lab.seen().await
    });
    assert!(seen.iter().filter(|call| call.at_s >= 100.0).all(|call| call.served), "{seen:?}");
    let attempts: u32 = seen.iter().filter(|call| (10.0..70.0).contains(&call.at_s)).map(|call| call.attempts).sum();
    assert!(attempts <= 20, "{attempts} attempts at a vendor that is down");
}

#[test]
fn f_098_after_recovery_there_is_no_herd() {
    let plan = Plan::of(vec![vec![spell(20.0, 80.0, Trouble::Status(503, 1.0))], vec![]]);
    let (seen, life, closed) = plan.run(async |lab| {
        lab.calls_until(200.0, 20.0).await;
        (lab.seen().await, lab.vendors[0].seconds(), lab.changes("v0 ", "closed"))
    });
    assert_eq!(failed(&seen).len(), 0);
    let closed = closed.into_iter().map(|(at, _)| at).find(|at| *at >= 80.0).expect("it closes");
    let usual = life[..20].iter().map(|second| second.peak).max().unwrap_or(0);
    for (second, life) in life.iter().enumerate().skip(80) {
        let since = second as f64 + 1.0 - closed;
        let most = if since <= 0.0 { 1 } else { 4.max((f64::from(usual) * since / 60.0) as u32) };
        assert!(since > 60.0 || life.peak <= most + 1, "{} at once {since} s after it closed", life.peak);
    }
}

#[test]
fn f_101_a_primary_that_flaps_does_not_drag_clients_along() {
    let flaps =
        (0..60).map(|i| spell(f64::from(i) * 10.0 + 5.0, f64::from(i) * 10.0 + 10.0, Trouble::Status(500, 1.0)));
    let (seen, opened, closed) = Plan::of(vec![flaps.collect(), vec![]]).run(async |lab| {
        lab.calls_until(600.0, 5.0).await;
        (lab.seen().await, lab.changes("v0 ", "open"), lab.changes("v0 ", "closed"))
    });
    assert!(failed(&seen).len() * 1_000 <= seen.len(), "{} of {} failed", failed(&seen).len(), seen.len());
    // a trial that failed is no transition: the breaker stays open
    let opened: Vec<_> = opened.into_iter().filter(|(_, why)| why != "trial_failed").map(|(at, _)| at).collect();
    let changes = opened.len() + closed.len();
    assert!(changes <= 12, "{changes} transitions in 10 min");
    let end = |at: f64| closed.iter().map(|(second, _)| *second).find(|second| *second > at).unwrap_or(600.0);
    let longest = opened.iter().map(|at| end(*at) - at).fold(0.0, f64::max);
    assert!(longest >= 60.0, "held down for {longest} s at most");
}

#[test]
fn f_102_thirty_per_cent_of_errors_reach_no_client_and_degrade_the_vendor() {
    let plan = Plan::of(vec![vec![spell(10.0, 190.0, Trouble::Status(500, 0.3))], vec![]]);
    let seen = plan.run(async |lab| {
        lab.calls_until(190.0, 5.0).await;
        lab.seen().await
    });
    assert!(failed(&seen).len() * 100 < seen.len(), "{} of {}", failed(&seen).len(), seen.len());
    let by_second = seen.iter().filter(|call| call.at_s > 40.0 && call.by == Some(1)).count();
    let later = seen.iter().filter(|call| call.at_s > 40.0).count();
    assert!(by_second * 2 > later, "{by_second} of {later} by the second after half a minute");
}

#[test]
fn f_102_a_pool_that_wants_four_good_answers_of_five_leaves_the_vendor_within_thirty_seconds() {
    let strict = Plan {
        pool: "breaker = { success_percent = 80 }\n",
        ..Plan::of(vec![vec![spell(10.0, 190.0, Trouble::Status(500, 0.3))], vec![]])
    };
    let (seen, opened) = strict.run(async |lab| {
        lab.calls_until(190.0, 5.0).await;
        (lab.seen().await, lab.changes("v0 ", "open"))
    });
    assert!(failed(&seen).len() * 100 < seen.len(), "{} of {}", failed(&seen).len(), seen.len());
    let (at, why) = opened.first().expect("it opens");
    assert!(*at <= 40.0 && why == "ratio", "opened at {at} s for {why}");
}

#[test]
fn f_103_a_primary_that_became_slow_keeps_a_quarter_of_the_calls() {
    let plan = Plan::of(vec![vec![spell(120.0, 400.0, Trouble::Slow(12.0))], vec![]]);
    let (seen, degraded, came) = plan.run(async |lab| {
        lab.calls_until(119.0, 2.0).await;
        let before = lab.is_degraded(0);
        lab.calls_until(180.0, 2.0).await;
        let within_a_minute = lab.is_degraded(0);
        lab.calls_until(380.0, 2.0).await;
        let came: u32 = lab.vendors[0].seconds().iter().skip(180).map(|second| second.came).sum();
        (lab.seen().await, [before, within_a_minute], came)
    });
    assert_eq!((failed(&seen).len(), degraded), (0, [false, true]));
    let share = f64::from(came) / seen.iter().filter(|call| call.at_s >= 180.0).count() as f64;
    assert!((0.17..=0.33).contains(&share), "{share} of its calls instead of a quarter");
}

#[test]
fn an_answer_that_is_empty_wherever_it_is_asked_for_ends_whole() {
    let seen = Plan::of(vec![vec![spell(0.0, 60.0, Trouble::Empty(1.0))]]).run(async |lab| {
        lab.call();
        lab.seen().await
    });
    assert_eq!(failed(&seen).len(), 0, "{seen:?}");
}

#[test]
fn f_104_two_hundred_calls_at_a_vendor_that_hangs_are_moved_before_their_limit() {
    let plan = Plan::of(vec![vec![spell(5.0, 60.0, Trouble::Silent(1.0))], vec![]]);
    let seen = plan.run(async |lab| {
        lab.calls_until(5.0, 2.0).await;
        lab.until(6.0).await;
        (0..200).for_each(|_| lab.call());
        lab.until(20.0).await;
        lab.seen().await
    });
    assert_eq!(failed(&seen).len(), 0);
    let moved: Vec<_> = seen.iter().filter(|call| call.at_s >= 6.0).collect();
    assert_eq!(moved.len(), 200);
    assert!(moved.iter().all(|call| call.by == Some(1) && call.attempts == 2), "{:?}", moved[0]);
    let longest = moved.iter().map(|call| call.took_s).fold(0.0, f64::max);
    assert!(longest < 10.0, "{longest} s: longer than the limit on first content alone");
}

#[test]
fn f_107_a_short_loss_of_our_own_network_is_over_when_it_is_over() {
    let cut_off = vec![spell(30.0, 100.0, Trouble::Refuses)];
    let (seen, isolated) = Plan::of(vec![cut_off.clone(), cut_off]).run(async |lab| {
        let mut isolated = Vec::new();
        for second in [29.0, 60.0, 115.0] {
            lab.calls_until(second, 2.0).await;
            isolated.push(lab.state.health.is_isolated());
        }
        (lab.seen().await, isolated)
    });
    assert_eq!(isolated, [false, true, false], "readiness follows");
    assert!(seen.iter().filter(|call| call.at_s >= 112.0).all(|call| call.served), "{:?}", failed(&seen).last());
}

#[test]
fn f_108_with_everybody_down_the_answer_is_quick_and_vendors_are_left_alone() {
    let down = vec![spell(0.0, 60.0, Trouble::Status(503, 1.0))];
    let (seen, came) = Plan::of(vec![down.clone(), down]).run(async |lab| {
        lab.calls_until(60.0, 20.0).await;
        let came = lab.vendors.iter().map(|vendor| vendor.seconds().iter().skip(5).map(|second| second.came).max());
        let came: Vec<_> = came.collect();
        (lab.seen().await, came)
    });
    assert!(seen.iter().all(|call| !call.served));
    assert!(came.iter().all(|most| most.is_none_or(|most| most <= 1)), "requests in one second: {came:?}");
    let slow = seen.iter().filter(|call| call.attempts == 0 && call.took_s >= 0.005).count();
    assert_eq!(slow, 0, "who is not let through is told at once");
    let asked = seen.iter().filter(|call| call.at_s > 5.0 && call.attempts > 0).count();
    assert!(asked <= 2 * 55, "{asked} calls of {} were let through in 55 s", seen.len());
}

#[test]
fn f_109_extra_attempts_stay_within_the_budget_when_all_fail() {
    let down = vec![spell(0.0, 60.0, Trouble::Status(500, 0.45))];
    let (seen, denied) = Plan::of(vec![down.clone(), down.clone(), down]).run(async |lab| {
        lab.calls_until(20.0, 100.0).await;
        let seen = lab.seen().await;
        (seen, lab.told().iter().filter(|(_, said)| said == "budget denied").count())
    });
    // after ten seconds nobody is sound, and no move is free
    let later: Vec<_> = seen.iter().filter(|call| call.at_s >= 10.0).collect();
    let extra: u32 = later.iter().map(|call| call.attempts.saturating_sub(1)).sum();
    let most = later.len() / 5 + 10 * 3 + 3;
    assert!(extra as usize <= most, "{extra} extra attempts of {} calls; {denied} denied", later.len());
    assert!(denied > 0);
}

#[test]
fn f_110_a_session_whose_home_is_lost_moves_once_and_stays() {
    let played = |spells: Vec<Vec<Spell>>| {
        let plan = Plan { one_tier: true, pool: "order = \"latency\"\n", ..Plan::of(spells) };
        plan.run(async |lab| {
            lab.calls_until(200.0, 1.0).await;
            lab.seen().await.into_iter().map(|call| call.by).collect::<Vec<_>>()
        })
    };
    let calm = played(vec![vec![], vec![], vec![]]);
    let home = calm[0].expect("it is served");
    assert!(calm.iter().all(|by| *by == Some(home)), "{calm:?}");
    let mut spells = vec![vec![]; 3];
    spells[home].push(spell(50.0, 90.0, Trouble::Status(503, 1.0)));
    let by = played(spells);
    assert!(by[..50].iter().all(|by| *by == Some(home)));
    let next = by[60].expect("it is served");
    assert!(next != home && by[60..].iter().all(|by| *by == Some(next)), "it is back and forth: {by:?}");
}

#[test]
fn f_109_every_call_moves_once_from_a_primary_that_hangs() {
    let plan = Plan::of(vec![vec![spell(0.0, 60.0, Trouble::Stalls(1.0))], vec![]]);
    let seen = plan.run(async |lab| {
        (0..500).for_each(|_| lab.call());
        lab.until(30.0).await;
        lab.seen().await
    });
    assert_eq!((seen.len(), failed(&seen).len()), (500, 0));
}
