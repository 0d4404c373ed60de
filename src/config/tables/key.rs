//! Teams and keys.

use crate::config::reader::At;
use crate::config::secrets::KeySecret;
use crate::config::section::{choice, section};
use crate::config::tables::vendor::Price;
use crate::config::values::{Number, Until};
use std::time::Duration;

choice! {
    /// The period of a budget.
    Period {
        /// From midnight to midnight, UTC.
        Day = "day",
        /// From Monday to Monday, UTC.
        Week = "week",
        /// From the first to the first, UTC.
        Month = "month",
    }
}

choice! {
    /// How much of a budget a call holds back before it is sent.
    Reserve {
        /// What calls like it have cost: together they may overshoot.
        Expected = "expected",
        /// The most that it can cost: the budget is never overshot.
        Bound = "bound",
    }
}

section! {
    /// Money for a time.
    Budget {
        /// US dollars.
        usd: Number,
        /// For how long.
        period: Period,
        /// How much a call holds back before it is sent.
        reserve: Option<Reserve>,
    }
}

section! {
    /// A group of keys.
    Team {
        /// What the team may spend.
        budget: Option<At<Budget>>,
        /// What the team may do at once and in a minute.
        limit: Option<At<Limit>>,
    }
}

section! {
    /// What may be done at once and in a minute.
    Limit {
        /// Requests a minute.
        requests_per_minute: Option<At<u32>>,
        /// Tokens a minute.
        tokens_per_minute: Option<At<u64>>,
        /// Exchanges at once.
        concurrency: Option<At<u32>>,
    }
}

section! {
    /// The identity in a client certificate.
    ClientCertificate {
        /// URI among its subject alternative names, such as "spiffe://corp/app".
        san_uri: Option<At<String>>,
        /// DNS name among its subject alternative names.
        san_dns: Option<At<String>>,
    }
}

section! {
    /// A virtual key: who a client is and what it may ask for.
    Key {
        /// What the client sends.
        secret: Option<At<KeySecret>>,
        /// The client certificate that stands for it.
        certificate: Option<At<ClientCertificate>>,
        /// Its team.
        team: Option<At<String>>,
        /// Country whose law its users are under.
        jurisdiction: Option<At<String>>,
        /// Zone where its data must stay; "any" where they may go anywhere.
        residency: Option<At<String>>,
        /// What every call of it is assumed to hold.
        data: Option<Vec<At<String>>>,
        /// What it is used for.
        purposes: Vec<At<String>>,
        /// Whether its users are screened for export control.
        screened: Option<bool>,
        /// Vendors it may use; all unless given.
        vendors: Option<Vec<At<String>>>,
        /// The most that it pays; what has no known price is too dear then.
        max_price: Option<At<Price>>,
        /// Pools it may ask for; all unless given.
        models: Option<Vec<At<String>>>,
        /// What it may spend.
        budget: Option<At<Budget>>,
        /// What it may do at once and in a minute.
        limit: Option<At<Limit>>,
        /// Time that one exchange may take at most.
        deadline: Option<Duration>,
        /// Last day on which it works.
        expires: Option<At<Until>>,
        /// What it may use of vendors' APIs as they are: "METHOD /endpoint/path", with `*` for an id that it created.
        vendor_paths: Vec<At<String>>,
        /// Ids at vendors that it may use although it did not create them: "endpoint/id", or "endpoint/beginning*".
        server_ids: Vec<At<String>>,
    }
}
