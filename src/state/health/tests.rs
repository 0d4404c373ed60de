use super::*;
use crate::base::failure::{FailureKind, Phase};
use crate::config::load::load;
use crate::snapshot::{Snapshot, compile};
use std::fs;

const SETTINGS: BreakerSettings = BreakerSettings::USUAL;

const CONFIG: &str = r#"
[listener.main]
address = "127.0.0.1:0"
[vendor.one]
dialect = "openai"
base_url = "https://one.example/v1"
credentials = [{ name = "a", env = "ONE_A" }, { name = "b", env = "ONE_B" }]
[endpoint.one-eu]
vendor = "one"
base_url = "https://eu.one.example/v1"
credential = { env = "ONE_EU" }
[vendor.two]
dialect = "openai"
base_url = "https://two.example/v1"
credential = { env = "TWO" }
[pool.all]
deployments = ["one/m1", "one/m2", "one/m3", "one-eu/m1", "one-eu/m2", "two/m1"]
[key.app]
secret = { env = "APP" }
"#;

/// What happened, as events say it.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Sink for Heard {
    fn emit(&self, event: Event) {
        let said = match event {
            Event::Breaker { node, to, reason } => format!("{node} {to} {reason}"),
            Event::Isolated { began } => format!("isolated {began}"),
            _ => return,
        };
        self.0.lock().unwrap().push(said);
    }
}

struct Rig {
    health: Arc<Health>,
    snapshot: Snapshot,
    heard: Arc<Heard>,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("backstay.toml"), CONFIG).unwrap();
        let sources = load(&folder.path().join("backstay.toml"), &|name| Some(format!("secret-{name}"))).unwrap();
        let (snapshot, _) = compile(&sources, 1, 0).unwrap();
        let heard = Arc::new(Heard::default());
        Self { health: Arc::new(Health::new(Arc::<Heard>::clone(&heard), 7)), snapshot, heard }
    }

    /// The deployment `endpoint/model`, with the credential of this number.
    fn of(&self, id: &str, credential: usize) -> Arc<DeploymentHealth> {
        let mut same = self.snapshot.deployments.iter().filter(|deployment| *deployment.id == *id);
        self.health.of(same.nth(credential).unwrap())
    }

    fn begin(&self, of: &Arc<DeploymentHealth>, second: f64) -> Result<Flight, Refusal> {
        let bid = Bid { settings: SETTINGS, limit: Duration::from_secs(10), input_tokens: 100, trickle: false };
        self.health.begin(of, &bid, at(second))
    }

    /// One attempt that ends so; whether it was let through.
    fn attempt(&self, of: &Arc<DeploymentHealth>, second: f64, failure: Option<&Failure>) -> bool {
        let Ok(mut flight) = self.begin(of, second) else { return false };
        match failure {
            None => flight.succeeded(at(second), Some(Duration::from_millis(500))),
            Some(failure) => {
                let failure = flight.judged(failure.clone(), at(second));
                flight.failed(&failure, at(second));
            }
        }
        true
    }

    fn break_down(&self, of: &Arc<DeploymentHealth>, second: f64) {
        let failure = failure(FailureKind::ServerError);
        (0..5).for_each(|_| assert!(self.attempt(of, second, Some(&failure))));
        assert!(!of.is_closed());
    }

    fn opened(&self) -> Vec<String> {
        let heard = self.heard.0.lock().unwrap();
        heard.iter().filter(|said| said.contains(" open ")).cloned().collect()
    }
}

fn at(second: f64) -> Moment {
    Moment::after_start(Duration::from_secs_f64(second))
}

/// A failure that the vendor told.
fn failure(kind: FailureKind) -> Failure {
    Failure { said: Some(Box::default()), ..Failure::new(kind, Phase::Headers, "test") }
}

/// A failure without a word from the vendor.
fn silent(kind: FailureKind) -> Failure {
    Failure::new(kind, Phase::Connect, "test")
}

#[test]
fn f_106_one_bad_model_leaves_its_siblings_alone() {
    let rig = Rig::new();
    let (bad, sibling) = (rig.of("one/m1", 0), rig.of("one/m2", 0));
    assert!(rig.attempt(&sibling, 0.0, None));
    rig.break_down(&bad, 1.0);
    assert_eq!(sibling.refuses(at(1.0), &SETTINGS), None);
    rig.break_down(&rig.of("one/m1", 1), 2.0);
    assert_eq!(sibling.refuses(at(2.0), &SETTINGS), None, "both keys fail with that model alone");
    assert!(rig.opened().iter().any(|said| said.ends_with("/v1 m1 open children")), "{:?}", rig.opened());
    rig.health.watch(at(3.0));
    assert_eq!(rig.opened().len(), 3, "two deployments and their model");
}

#[test]
fn f_105_a_whole_vendor_that_fails_is_asked_by_one_call_at_a_time() {
    let rig = Rig::new();
    let failing = [("one/m1", 0), ("one/m2", 0), ("one-eu/m1", 0), ("one-eu/m2", 0)].map(|(id, key)| rig.of(id, key));
    failing.iter().for_each(|of| {
        if of.refuses(at(1.0), &SETTINGS).is_none() {
            rig.break_down(of, 1.0);
        }
    });
    assert!(rig.opened().iter().any(|said| said == "one open children"), "{:?}", rig.opened());
    let untouched = rig.of("one/m3", 0);
    assert!(untouched.refuses(at(1.0), &SETTINGS).is_some(), "its vendor is out");
    assert_eq!(rig.of("two/m1", 0).refuses(at(1.0), &SETTINGS), None);

    let trials: Vec<_> = failing.iter().filter_map(|of| rig.begin(of, 8.0).ok()).collect();
    assert_eq!(trials.len(), 1, "one trial for the whole vendor");
    drop(trials);
    assert!(rig.attempt(&failing[3], 8.1, None) && rig.attempt(&failing[3], 8.2, None));
    assert!(failing[3].is_closed(), "{:?}", failing[3].breaker_label(at(8.2)));
    for of in &failing[..3] {
        assert!(rig.attempt(of, 8.3, None), "with the vendor back, each is tried at once");
        assert!(rig.attempt(of, 8.4, None) && of.is_closed());
    }
}

#[test]
fn f_105_a_failed_trial_keeps_the_whole_vendor_out() {
    let rig = Rig::new();
    let failing = [rig.of("one/m1", 0), rig.of("one/m2", 0), rig.of("one-eu/m1", 0), rig.of("one-eu/m2", 0)];
    rig.break_down(&failing[0], 1.0);
    rig.break_down(&failing[1], 1.0);
    rig.break_down(&failing[2], 1.0);
    rig.break_down(&failing[3], 1.0);
    assert!(rig.attempt(&failing[2], 8.0, Some(&failure(FailureKind::ServerError))));
    for of in &failing {
        assert!(!rig.attempt(of, 8.1, None));
    }
}

#[test]
fn f_099_a_trial_that_tells_nothing_leaves_the_next_one_free() {
    let rig = Rig::new();
    let of = rig.of("two/m1", 0);
    rig.break_down(&of, 0.0);
    for neutral in [None, Some(failure(FailureKind::BadRequest)), Some(failure(FailureKind::RateLimited))] {
        let mut flight = rig.begin(&of, 20.0).expect("a trial");
        assert!(rig.begin(&of, 20.0).is_err(), "one at a time");
        if let Some(neutral) = &neutral {
            flight.failed(neutral, at(20.0));
        }
        drop(flight);
        assert!(!of.is_closed());
    }
    assert!(rig.attempt(&of, 22.0, None), "after the rest that the 429 brought");
}

#[test]
fn f_104_a_vendor_that_hangs_trips_before_the_first_limit() {
    let rig = Rig::new();
    let of = rig.of("two/m1", 0);
    assert!(rig.attempt(&of, 0.0, None));
    let hanging: Vec<_> = (0..200).filter_map(|_| rig.begin(&of, 1.0).ok()).collect();
    assert_eq!(hanging.len(), 200);
    rig.health.watch(at(5.9));
    assert!(of.is_closed());
    rig.health.watch(at(6.1));
    assert!(!of.is_closed(), "{:?}", rig.opened());
    assert!(rig.begin(&of, 6.2).is_err(), "nobody else waits");
}

#[test]
fn f_104_a_slow_vendor_that_answers_does_not_trip() {
    let rig = Rig::new();
    let of = rig.of("two/m1", 0);
    let _slow: Vec<_> = (0..4).filter_map(|_| rig.begin(&of, 0.0).ok()).collect();
    let _slow: Vec<_> = (0..50).filter_map(|_| rig.begin(&of, 1.0).ok()).collect();
    assert!(rig.attempt(&of, 5.9, None));
    rig.health.watch(at(9.0));
    assert!(of.is_closed());
}

#[test]
fn f_081_all_keys_refused_at_once_are_the_vendors_fault() {
    let rig = Rig::new();
    let (a, b) = (rig.of("one/m1", 0), rig.of("one/m1", 1));
    assert!(rig.attempt(&a, 1.0, None) && rig.attempt(&b, 1.0, None));
    let refused = failure(FailureKind::AuthKey);
    assert!(rig.attempt(&a, 20.0, Some(&refused)));
    assert!(matches!(a.refuses(at(20.0), &SETTINGS), Some(Refusal::Resting { class: "auth_key", .. })));
    assert_eq!(b.refuses(at(20.0), &SETTINGS), None);
    assert!(rig.attempt(&b, 25.0, Some(&refused)));
    for of in [&a, &b] {
        assert!(matches!(of.refuses(at(25.0), &SETTINGS), Some(Refusal::Breaker { .. })), "the keys stay enabled");
    }
    assert!(rig.attempt(&a, 32.0, Some(&refused)), "the vendor's trial");
    assert!(matches!(b.refuses(at(32.0), &SETTINGS), Some(Refusal::Breaker { .. })));
    assert!(rig.attempt(&b, 60.0, None) && rig.attempt(&a, 60.1, None));
    assert_eq!(a.refuses(at(60.2), &SETTINGS), None);
}

#[test]
fn f_080_one_key_refused_is_that_keys_fault() {
    let rig = Rig::new();
    let (a, b) = (rig.of("one/m1", 0), rig.of("one/m1", 1));
    assert!(rig.attempt(&a, 1.0, None) && rig.attempt(&b, 1.0, None));
    assert!(rig.attempt(&a, 20.0, Some(&failure(FailureKind::AuthKey))));
    assert!(rig.attempt(&b, 60.0, Some(&failure(FailureKind::AuthKey))), "long after the other");
    assert!(matches!(b.refuses(at(60.0), &SETTINGS), Some(Refusal::Resting { .. })));
    assert_eq!(rig.of("one-eu/m1", 0).refuses(at(60.0), &SETTINGS), None);
}

#[test]
fn f_107_with_every_vendor_out_of_reach_we_suspect_ourselves_and_try_again_soon() {
    let rig = Rig::new();
    let (one, two) = (rig.of("one/m1", 0), rig.of("two/m1", 0));
    let unreachable = silent(FailureKind::ConnectTimeout);
    let mut second = 0.0;
    while second < 120.0 {
        rig.attempt(&one, second, Some(&unreachable));
        rig.attempt(&two, second, Some(&unreachable));
        second += 0.5;
    }
    assert!(rig.health.is_isolated());
    for of in [&one, &two] {
        let Some(Refusal::Breaker { retry_after }) = of.refuses(at(second), &SETTINGS) else { continue };
        assert!(retry_after <= Duration::from_secs(12), "{retry_after:?}");
    }
    rig.health.probed(&one, SETTINGS, at(121.0), false, None);
    assert!(!rig.health.is_isolated());
    let told: Vec<_> =
        rig.heard.0.lock().unwrap().iter().filter(|said| said.starts_with("isolated")).cloned().collect();
    assert_eq!(told, ["isolated true", "isolated false"]);
}

#[test]
fn f_107_one_vendor_out_of_reach_is_that_vendors_fault() {
    let rig = Rig::new();
    let (one, two) = (rig.of("one/m1", 0), rig.of("two/m1", 0));
    for i in 0..10 {
        rig.attempt(&one, f64::from(i), Some(&silent(FailureKind::ConnectTimeout)));
        rig.attempt(&two, f64::from(i), Some(&failure(FailureKind::ServerError)));
    }
    assert!(!rig.health.is_isolated());
}

#[test]
fn f_098_after_an_outage_the_load_comes_back_slowly() {
    let rig = Rig::new();
    let of = rig.of("two/m1", 0);
    let load: Vec<_> = (0..500).filter_map(|_| rig.begin(&of, 0.0).ok()).collect();
    assert_eq!(load.len(), 500);
    for mut flight in load {
        flight.failed(&failure(FailureKind::ServerError), at(1.0));
    }
    let trials = (0..500).filter_map(|_| rig.begin(&of, 10.0).ok()).collect::<Vec<_>>();
    assert_eq!(trials.len(), 1, "one trial");
    drop(trials);
    assert!(rig.attempt(&of, 10.1, None) && rig.attempt(&of, 10.2, None));
    for (after, most) in [(0.1, 4), (6.0, 50), (30.0, 250)] {
        let taken = (0..500).filter_map(|_| rig.begin(&of, 10.2 + after).ok()).collect::<Vec<_>>();
        assert!(taken.len() <= most && !taken.is_empty(), "{} at once after {after} s", taken.len());
        drop(taken);
    }
}

#[test]
fn the_second_vendor_is_not_drowned_in_the_load_of_the_first() {
    let rig = Rig::new();
    let of = rig.of("two/m1", 0);
    // it bears 20 at once, 100 come at once for a while
    let (mut lost, mut served) = (0, 0);
    for second in 0..30 {
        let second = f64::from(second);
        let flights: Vec<_> = (0..100).filter_map(|_| rig.begin(&of, second).ok()).collect();
        for (index, mut flight) in flights.into_iter().enumerate() {
            if index < 20 {
                served += 1;
                flight.succeeded(at(second + 0.5), Some(Duration::from_millis(500)));
            } else {
                lost += 1;
                let throttled = Failure { retry_after: Some(Duration::ZERO), ..failure(FailureKind::RateLimited) };
                flight.failed(&throttled, at(second));
            }
        }
    }
    assert!(served > 300, "{served} served");
    assert!(lost < 300, "{lost} of 2400 that it could not have borne were sent all the same");
}

#[test]
fn a_vendor_that_reports_an_incident_needs_less_proof_and_is_not_out_for_that_alone() {
    let rig = Rig::new();
    let (one, two) = (rig.of("one/m1", 0), rig.of("two/m1", 0));
    assert!(rig.health.reported("one", Report::Major, at(0.0)));
    assert!(!rig.health.reported("one", Report::Major, at(60.0)), "that is no news");
    assert_eq!(one.refuses(at(60.0), &SETTINGS), None, "it never decides alone");
    assert!(rig.attempt(&one, 60.0, None) && rig.attempt(&two, 60.0, None));
    assert!(one.expected_ms(at(60.0)) > two.expected_ms(at(60.0)));
    let failed = failure(FailureKind::ServerError);
    (0..3).for_each(|_| assert!(rig.attempt(&one, 60.0, Some(&failed)) && rig.attempt(&two, 60.0, Some(&failed))));
    assert!(!one.is_closed() && two.is_closed());
    assert_eq!(one.report(at(661.0)), None, "what was not read for long says nothing");
}

#[test]
fn a_degraded_deployment_keeps_one_call_in_four() {
    let rig = Rig::new();
    let of = rig.of("two/m1", 0);
    for i in 0..20 {
        let failed = failure(FailureKind::Empty);
        assert!(rig.attempt(&of, f64::from(i), (i % 5 == 0).then_some(&failed)));
    }
    let calls = (0..100).filter(|turn| !of.stands_back(at(20.0), &SETTINGS, *turn)).count();
    assert_eq!((calls, of.refuses(at(20.0), &SETTINGS)), (25, None));
    assert!(!of.stands_back(at(60.0), &SETTINGS, 1), "half a minute later that is over");
}
