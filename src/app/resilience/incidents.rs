//! Incidents drawn from those that vendors had, in generated worlds, and an oracle that knows them all beforehand.

use super::lab::{Lab, Plan, Seen};
use super::vendors::{Spell, Trouble};
use crate::base::random::Random;

/// Incidents last no longer here: a breaker that was open for so long has reached its longest open time.
const LONGEST_S: f64 = 900.0;
const SHORTEST_S: f64 = 20.0;
/// Calls of one world come at this pace.
const CALLS_PER_SECOND: f64 = 0.25;
/// Incidents of one world.
const INCIDENTS: usize = 40;

/// A kind of incident, as vendors had it.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) seen: &'static str,
    /// The shares of requests that were hit, between which one is drawn.
    shares: (f64, f64),
    /// How long it lasted, in minutes.
    minutes: f64,
    /// Whether a second vendor has it at the same time.
    common: bool,
    trouble: fn(f64) -> Trouble,
}

pub(super) const KINDS: [Kind; 13] = [
    Kind::new("part of the calls fail", "OpenAI, 2025-06-10: 5 to 25 % of calls for 13 h", (0.05, 0.25), 780.0, |s| {
        Trouble::Status(500, s)
    }),
    Kind::new("all calls fail", "OpenAI, 2024-12-11: everything for 4 h 22 min", (1.0, 1.0), 262.0, |s| {
        Trouble::Status(503, s)
    }),
    Kind::new("nobody is let in", "Anthropic, 2026-04-28: authentication, 78 min", (1.0, 1.0), 78.0, |s| {
        Trouble::Status(401, s)
    }),
    Kind::new("a model is down", "Anthropic, 2026-05-15: Opus and Sonnet 4.6", (1.0, 1.0), 90.0, |s| {
        Trouble::Status(500, s)
    }),
    Kind::new("no connection", "AWS us-east-1, 2025-10-20: an empty DNS record, 14.5 h", (1.0, 1.0), 870.0, |_| {
        Trouble::Refuses
    }),
    Kind::new("the front is down", "Cloudflare, 2025-11-18: ChatGPT and Claude, 3 h 10 min", (1.0, 1.0), 190.0, |s| {
        Trouble::Status(500, s)
    })
    .common(),
    Kind::new("200, then an error", "seen at 937 of 937 calls of an outage", (0.6, 1.0), 60.0, Trouble::ErrorEvent),
    Kind::new(
        "overloaded",
        "Anthropic, 2026-03-17: 529 ten minutes into another model's outage",
        (0.3, 0.95),
        40.0,
        |s| Trouble::Status(529, s),
    ),
    Kind::new("throttled", "429 for minutes after a sharp rise", (0.4, 1.0), 20.0, |s| Trouble::Status(429, s)),
    Kind::new("silence", "calls that hang for an hour", (0.5, 1.0), 60.0, Trouble::Silent),
    Kind::new("a head, then silence", "streams that open and have no content", (0.5, 1.0), 60.0, Trouble::Stalls),
    Kind::new("empty answers", "200 with nothing in it", (0.2, 1.0), 30.0, Trouble::Empty),
    Kind::new("slow", "first content after many times the usual", (0.3, 1.0), 120.0, |s| Trouble::Slow(20.0 * s)),
];

impl Kind {
    const fn new(
        name: &'static str,
        seen: &'static str,
        shares: (f64, f64),
        minutes: f64,
        trouble: fn(f64) -> Trouble,
    ) -> Self {
        Self { name, seen, shares, minutes, common: false, trouble }
    }

    /// It befalls two vendors at once.
    const fn common(self) -> Self {
        Self { common: true, ..self }
    }
}

/// One incident of a world.
struct Incident {
    kind: usize,
    vendor: usize,
    spell: Spell,
}

/// What was seen of one kind of incident, or of the time without any.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) incidents: usize,
    pub(super) calls: usize,
    pub(super) served: usize,
    /// Calls that the oracle would have had served.
    pub(super) servable: usize,
    pub(super) attempts: u64,
    pub(super) took_s: Vec<f64>,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.incidents += other.incidents;
        self.calls += other.calls;
        self.served += other.served;
        self.servable += other.servable;
        self.attempts += other.attempts;
        self.took_s.extend_from_slice(&other.took_s);
    }

    fn note(&mut self, call: &Seen, servable: bool) {
        self.calls += 1;
        self.served += usize::from(call.served);
        self.servable += usize::from(servable || call.served);
        self.attempts += u64::from(call.attempts);
        self.took_s.push(call.took_s);
    }

    /// What the oracle has more than we, as a share of all calls.
    pub(super) fn missed(&self) -> f64 {
        (self.servable - self.served) as f64 / self.calls.max(1) as f64
    }

    /// The time below which this share of calls were over, in seconds.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.took_s.clone();
        sorted.sort_by(f64::total_cmp);
        let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or(0.0)
    }
}

/// What was seen of many worlds: by kind of incident, and last of the time without one.
#[derive(Default)]
pub(super) struct Totals(pub(super) Vec<Tally>);

impl Totals {
    pub(super) fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.0.iter().for_each(|tally| all.add(tally));
        all
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.resize(KINDS.len() + 1, Tally::default());
        self.0.iter_mut().zip(&other.0).for_each(|(sum, tally)| sum.add(tally));
    }
}

/// Plays worlds until so many incidents are over, on two threads.
pub(super) fn play(incidents: usize, seed: u64) -> Totals {
    let worlds = incidents.div_ceil(INCIDENTS) as u64;
    let half = |first: u64| {
        let mut totals = Totals::default();
        (first..worlds).step_by(2).for_each(|world| totals.add(&World::draw(seed * 10_000 + world).play()));
        totals
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut totals = half(0);
        totals.add(&other.join().expect("worlds that end"));
        totals
    })
}

struct World {
    seed: u64,
    vendors: usize,
    incidents: Vec<Incident>,
    until_s: f64,
}

impl World {
    /// A pool of two to four vendors, whom one incident after another befalls; one in eight begins before the last is over.
    fn draw(seed: u64) -> Self {
        let random = Random::seeded(seed);
        let below = |bound: usize| (random.unit() * bound as f64) as usize;
        let vendors = 2 + below(3);
        let mut incidents = Vec::new();
        let mut from_s = 60.0;
        for _ in 0..INCIDENTS {
            let (kind, vendor) = (below(KINDS.len()), below(vendors));
            let of = &KINDS[kind];
            let longest = (of.minutes * 60.0).min(LONGEST_S);
            let lasts = SHORTEST_S * (longest / SHORTEST_S).powf(random.unit());
            let trouble = (of.trouble)(of.shares.0 + (of.shares.1 - of.shares.0) * random.unit());
            let spell = Spell { from_s, to_s: from_s + lasts, trouble };
            incidents.push(Incident { kind, vendor, spell });
            if of.common {
                incidents.push(Incident { kind, vendor: (vendor + 1) % vendors, spell });
            }
            from_s =
                if below(8) == 0 { from_s + lasts * random.unit() } else { spell.to_s + 30.0 + 270.0 * random.unit() };
        }
        let until_s = incidents.iter().map(|incident| incident.spell.to_s).fold(0.0, f64::max) + 60.0;
        Self { seed, vendors, incidents, until_s }
    }

    fn play(&self) -> Totals {
        let mut spells = vec![Vec::new(); self.vendors];
        self.incidents.iter().for_each(|incident| spells[incident.vendor].push(incident.spell));
        let plan = Plan { seed: self.seed, ..Plan::of(spells) };
        plan.run(async |lab| {
            lab.calls_until(self.until_s, CALLS_PER_SECOND).await;
            self.tally(&lab.seen().await, &lab)
        })
    }

    /// A call counts with the incident that was on when it was made; with several, with the oldest.
    fn tally(&self, seen: &[Seen], lab: &Lab) -> Totals {
        let mut totals = vec![Tally::default(); KINDS.len() + 1];
        for incident in &self.incidents {
            totals[incident.kind].incidents += 1;
        }
        let random = Random::seeded(self.seed);
        for call in seen {
            let on = |incident: &&Incident| incident.spell.from_s <= call.at_s && call.at_s < incident.spell.to_s;
            let kind = self.incidents.iter().find(on).map_or(KINDS.len(), |incident| incident.kind);
            let servable = is_servable(call, lab, &random);
            totals[kind].note(call, servable);
        }
        Totals(totals)
    }
}

/// Whether some vendor would answer the call when it is made, for whoever knows which.
fn is_servable(call: &Seen, lab: &Lab, random: &Random) -> bool {
    let answers = |trouble: Trouble| random.unit() < trouble.lets_through();
    lab.vendors.iter().any(|vendor| vendor.trouble_at(call.at_s).is_none_or(answers))
}
