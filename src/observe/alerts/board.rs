//! Which alerts are open, as a pure board: one alert when something begins, one when it has ended for good.

use crate::base::clock::Moment;
use crate::base::event::Event;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long an outage must be over before it counts as ended: whoever is out again within this time was never back.
const HOLD: Duration = Duration::from_secs(60);
/// Alerts that are open at once.
const MOST: usize = 1_000;

/// What people are called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A breaker opened.
    Outage,
    /// Something is restricted.
    Restriction,
    /// A deployment has become too expensive for a pool.
    Surge,
    /// The files on disk are refused.
    FilesRefused,
    /// No vendor can be reached at all.
    Isolated,
    /// A vendor's own status page tells of an incident.
    VendorReport,
    /// A budget is spent.
    BudgetSpent,
    /// The ledger cannot be written.
    Ledger,
    /// A credential's money or quota at its vendor is spent.
    QuotaSpent,
}

impl Kind {
    /// The `kind` in documents and metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Restriction => "restriction",
            Self::Surge => "surge",
            Self::FilesRefused => "files_refused",
            Self::Isolated => "isolated",
            Self::VendorReport => "vendor_report",
            Self::BudgetSpent => "budget_spent",
            Self::Ledger => "ledger",
            Self::QuotaSpent => "quota_spent",
        }
    }

    const fn hold(self) -> Duration {
        match self {
            Self::Outage | Self::VendorReport => HOLD,
            Self::Restriction
            | Self::Surge
            | Self::FilesRefused
            | Self::Isolated
            | Self::BudgetSpent
            | Self::Ledger
            | Self::QuotaSpent => Duration::ZERO,
        }
    }
}

/// What people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) kind: Kind,
    /// What it is about: a node, a restriction's id, `files`.
    pub(super) subject: Arc<str>,
    pub(super) detail: String,
    /// Whether it begins or has ended.
    pub(super) began: bool,
}

/// The alerts that are open.
#[derive(Default)]
pub(super) struct Board {
    open: BTreeMap<(Kind, Arc<str>), Open>,
}

struct Open {
    detail: String,
    /// Since when it seems to be over.
    over: Option<Moment>,
}

impl Board {
    /// Takes an event. What is to be told at once comes back; what ends may have to wait for [`Board::due`].
    pub(super) fn note(&mut self, event: &Event, now: Moment) -> Option<Alert> {
        let Alert { kind, subject, detail, began } = alert(event)?;
        let key = (kind, Arc::clone(&subject));
        if let Some(open) = self.open.get_mut(&key) {
            open.over = (!began).then_some(now);
            return None;
        }
        // a host that is out takes its deployments along: that is one outage
        let wider = |open: &(Kind, Arc<str>)| open.0 == kind && kind == Kind::Outage && is_within(&subject, &open.1);
        if !began || self.open.len() >= MOST || self.open.keys().any(wider) {
            return None;
        }
        self.open.insert(key, Open { detail: detail.clone(), over: None });
        Some(Alert { kind, subject, detail, began })
    }

    /// What has been over for long enough.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Alert> {
        let ended =
            |(kind, _): &(Kind, Arc<str>), open: &Open| open.over.is_some_and(|over| now.since(over) >= kind.hold());
        let (ended, open) = std::mem::take(&mut self.open).into_iter().partition(|(key, open)| ended(key, open));
        self.open = open;
        let ended: BTreeMap<(Kind, Arc<str>), Open> = ended;
        let told = ended.into_iter();
        told.map(|((kind, subject), open)| Alert { kind, subject, detail: open.detail, began: false }).collect()
    }
}

/// Whether a node is another one, or stands below it: a node's name begins with its parent's.
fn is_within(node: &str, above: &str) -> bool {
    node.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What an event says of some alert.
fn alert(event: &Event) -> Option<Alert> {
    let (kind, subject, detail, began) = match event {
        Event::Breaker { node, to, reason } => (Kind::Outage, Arc::clone(node), (*reason).to_owned(), *to == "open"),
        Event::Isolated { began } => {
            let detail = "no vendor can be reached: the fault is probably on our side".to_owned();
            (Kind::Isolated, Arc::from("vendors"), detail, *began)
        }
        Event::VendorReport { vendor, report } => {
            let detail = format!("its status page says: {report}");
            (Kind::VendorReport, Arc::clone(vendor), detail, *report != "well")
        }
        Event::Restriction { restriction, began, .. } => {
            let detail = format!("{}: {} ({})", restriction.cause.label(), restriction.reach, restriction.reason);
            (Kind::Restriction, Arc::clone(&restriction.id), detail, *began)
        }
        Event::Surge { surge, began } => {
            let instead = match &surge.instead {
                Some(instead) => format!("; {instead} serves in its place"),
                None if *began => "; nothing is left in its place".to_owned(),
                None => String::new(),
            };
            let subject = Arc::from(format!("{} {}", surge.pool, surge.deployment));
            (Kind::Surge, subject, format!("{surge}{instead}"), *began)
        }
        Event::Reload { accepted, diagnostics, .. } => {
            let detail = diagnostics.iter().find(|text| text.contains(": error: ")).cloned().unwrap_or_default();
            (Kind::FilesRefused, Arc::from("files"), detail, !accepted)
        }
        Event::Budget { account, spent } => {
            (Kind::BudgetSpent, Arc::clone(account), "calls are refused until the period ends".to_owned(), *spent)
        }
        Event::Ledger { failing } => {
            let detail = failing.as_deref().unwrap_or_default().to_owned();
            (Kind::Ledger, Arc::from("ledger"), detail, failing.is_some())
        }
        Event::QuotaSpent { credential, spent } => {
            (Kind::QuotaSpent, Arc::clone(credential), "the vendor says that nothing is left".to_owned(), *spent)
        }
        _ => return None,
    };
    Some(Alert { kind, subject, detail, began })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(node: &str, to: &'static str) -> Event {
        Event::Breaker { node: node.into(), to, reason: "consecutive" }
    }

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    #[test]
    fn an_outage_is_told_once_when_it_begins_and_once_when_it_is_over_for_good() {
        let mut board = Board::default();
        assert!(board.note(&breaker("openai", "open"), at(0)).is_some_and(|alert| alert.began));
        for second in [10, 20, 30] {
            assert_eq!(board.note(&breaker("openai", "closed"), at(second)), None);
            assert!(board.due(at(second + 5)).is_empty());
            assert_eq!(board.note(&breaker("openai", "open"), at(second + 6)), None, "it flaps");
        }
        assert_eq!(board.note(&breaker("openai", "closed"), at(100)), None);
        assert!(board.due(at(159)).is_empty());
        let ended = board.due(at(160));
        assert_eq!((ended.len(), ended[0].began, &*ended[0].subject), (1, false, "openai"));
        assert!(board.due(at(999)).is_empty());
        assert!(board.note(&breaker("openai", "open"), at(1_000)).is_some(), "the next outage is another one");
    }

    #[test]
    fn a_host_that_is_out_is_one_outage() {
        let mut board = Board::default();
        assert!(board.note(&breaker("openai https://a/v1", "open"), at(0)).is_some());
        assert_eq!(board.note(&breaker("openai https://a/v1 gpt-5.5 k", "open"), at(1)), None);
        assert!(board.note(&breaker("anthropic https://b", "open"), at(1)).is_some());
    }

    #[test]
    fn a_spent_budget_is_told_once_and_ends_when_calls_fit_again() {
        let budget = |spent| Event::Budget { account: "team/research".into(), spent };
        let mut board = Board::default();
        let told = board.note(&budget(true), at(0)).map(|alert| (alert.kind.label(), alert.subject.to_string()));
        assert_eq!(told, Some(("budget_spent", "team/research".to_owned())));
        assert_eq!(board.note(&budget(true), at(1)), None);
        assert_eq!(board.note(&budget(false), at(2)), None);
        assert!(board.due(at(2)).iter().all(|alert| !alert.began));
        assert!(board.note(&Event::Ledger { failing: Some("full".into()) }, at(3)).is_some());
    }

    #[test]
    fn f_076_a_spent_quota_is_one_alert_until_there_is_some_again() {
        let quota = |spent| Event::QuotaSpent { credential: "openai/a".into(), spent };
        let mut board = Board::default();
        assert!(board.note(&quota(true), at(0)).is_some_and(|alert| alert.began && &*alert.subject == "openai/a"));
        assert_eq!(board.note(&quota(false), at(900)), None);
        assert!(board.due(at(900)).iter().any(|alert| !alert.began), "it is told at once");
    }

    #[test]
    fn refused_files_end_with_the_next_good_ones() {
        let reload = |accepted| Event::Reload {
            accepted,
            generation: 1,
            digest: "d".into(),
            diagnostics: Arc::from(["a.toml:1:2: error: no".to_owned()]),
        };
        let mut board = Board::default();
        assert_eq!(board.note(&reload(true), at(0)), None, "nothing was wrong");
        assert!(board.note(&reload(false), at(1)).is_some_and(|alert| alert.detail.contains("a.toml:1:2")));
        assert_eq!(board.note(&reload(false), at(2)), None);
        assert_eq!(board.note(&reload(true), at(3)), None);
        assert!(board.due(at(3)).iter().all(|alert| !alert.began));
    }
}
