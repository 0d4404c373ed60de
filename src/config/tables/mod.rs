//! The tables of the config, each field once: how it is written, what it means, whether it must be there.

mod key;
mod policy_tests;
mod pool;
mod price;
mod vendor;
mod zones;

pub use key::{Budget, ClientCertificate, Key, Limit, Period, Reserve, Team};
pub use policy_tests::{PolicyTest, PolicyTests, TestDeployment, TestKey, TestRefusal, TestVendor};
pub use pool::{Breaker, Hedge, Order, Pool, Probe, Surge};
pub use price::{DatedPrice, DatedPrices, PriceBook, PriceTier, Uplift};
pub use vendor::{Auth, Deployment, Endpoint, MaxTokensMember, Price, Quirks, Timeouts, ToolCallIds, Vendor};
pub use zones::{Region, Zone, Zones};

use crate::base::diagnostic::Place;
use crate::config::reader::{At, Single, TablesOf};
use crate::config::secrets::SecretSource;
use crate::config::section::{choice, section};
use crate::config::values::{ByteSize, FilePath};
use std::time::Duration;

section! {
    /// The config of Backstay.
    Config {
        /// Further files of the same form, relative to this one.
        include: Vec<At<FilePath>>,
        /// Addresses that accept clients.
        listener: TablesOf<Listener>,
        /// The address for people and scrapers.
        admin: Single<Admin>,
        /// Where durable state is kept.
        state: Single<State>,
        /// Where people are told of what needs them.
        alerts: Single<Alerts>,
        /// The decision log.
        audit: Single<Audit>,
        /// Bounds of what clients may do to this process.
        server: Single<Server>,
        /// Where the policies are and which words they may use.
        policy: Single<PolicyTable>,
        /// Companies whose APIs are used.
        vendor: TablesOf<Vendor>,
        /// Further places where vendors answer.
        endpoint: TablesOf<Endpoint>,
        /// Where one deployment differs from its vendor, as "endpoint/model".
        deployment: TablesOf<Deployment>,
        /// Public model names and the deployments behind them.
        pool: TablesOf<Pool>,
        /// Groups of keys.
        team: TablesOf<Team>,
        /// Virtual keys.
        key: TablesOf<Key>,
    }
}

section! {
    /// An address that accepts clients.
    Listener {
        /// IP address and port.
        address: At<String>,
        /// PEM file of the certificate chain, the server's own first.
        certificate: Option<At<FilePath>>,
        /// PEM file of the private key.
        private_key: Option<At<FilePath>>,
        /// Several certificates, chosen by the name that the client asks for; the first serves everyone else.
        certificates: Vec<At<CertificateFiles>>,
        /// PEM file of the authorities whose client certificates are accepted; asking for one is mandatory then.
        client_roots: Option<At<FilePath>>,
        /// PEM file of those authorities' revocation lists: a client certificate that one of them names is refused.
        client_crls: Option<At<FilePath>>,
        /// Whether plain HTTP is accepted beyond loopback: keys and prompts travel unprotected.
        plaintext: Option<bool>,
    }
}

section! {
    /// A certificate chain and its key.
    CertificateFiles {
        /// PEM file of the chain, the server's own certificate first.
        chain: At<FilePath>,
        /// PEM file of the private key.
        key: At<FilePath>,
    }
}

section! {
    /// The address for people and scrapers.
    Admin {
        /// IP address and port; loopback unless told otherwise.
        address: Option<At<String>>,
        /// Tokens, one a line, that may restrict, release and drain.
        operators: Option<At<SecretSource>>,
    }
}

section! {
    /// Where durable state is kept.
    State {
        /// Directory of ledger, restrictions and decision log.
        directory: Option<At<FilePath>>,
    }
}

section! {
    /// Where people are told of what needs them.
    Alerts {
        /// Address that alerts are posted to as JSON.
        webhook: Option<At<SecretSource>>,
    }
}

choice! {
    /// What happens while the decision log cannot be written.
    WhenUnwritable {
        /// New calls are refused.
        Refuse = "refuse",
        /// Calls go on, and an alert tells.
        CarryOn = "carry_on",
    }
}

section! {
    /// The decision log.
    Audit {
        /// Whether it is kept at all.
        enabled: Option<bool>,
        /// The log's name, as its checkpoints say it.
        origin: Option<At<String>>,
        /// What happens while it cannot be written.
        when_unwritable: Option<WhenUnwritable>,
        /// Size after which the next file is begun.
        rotate_at: Option<At<ByteSize>>,
        /// What signs its checkpoints.
        signing_key: Option<At<SecretSource>>,
        /// What names of keys and subjects are hashed with.
        hash_key: Option<At<SecretSource>>,
    }
}

section! {
    /// Bounds of what clients may do to this process.
    Server {
        /// Largest request body.
        max_body: Option<At<ByteSize>>,
        /// Largest request body that is passed to a vendor as it comes.
        max_upload: Option<At<ByteSize>>,
        /// Largest answer of a vendor that is not streamed.
        max_answer: Option<At<ByteSize>>,
        /// Most header lines of a request.
        max_headers: Option<At<u32>>,
        /// Largest head of a request: request line and headers together.
        max_head: Option<At<ByteSize>>,
        /// Longest path with its query.
        max_path: Option<At<ByteSize>>,
        /// Most requests at once on one HTTP/2 connection.
        max_streams: Option<At<u32>>,
        /// Most client connections at once.
        max_connections: Option<At<u32>>,
        /// Time of a TLS handshake with a client.
        handshake_timeout: Option<At<Duration>>,
        /// Time in which the head of a request must arrive.
        head_timeout: Option<At<Duration>>,
        /// Longest pause within a request body.
        body_timeout: Option<At<Duration>>,
        /// Slowest request body, per second, once `body_grace` is over.
        body_min_rate: Option<At<ByteSize>>,
        /// How long a request body may be slower than that.
        body_grace: Option<At<Duration>>,
        /// How long a connection without a request is kept.
        idle_timeout: Option<At<Duration>>,
        /// How long a client may leave an answer unread.
        write_timeout: Option<At<Duration>>,
        /// How long the head of a streamed answer is held before the client gets a sign of life.
        ping_after: Option<At<Duration>>,
        /// How long new connections are still accepted after the signal to stop.
        drain_accept: Option<At<Duration>>,
        /// How long open exchanges may take to end after the signal to stop.
        drain_timeout: Option<At<Duration>>,
    }
}

section! {
    /// Where the policies are and which words they may use beside the ones that come with Backstay.
    PolicyTable {
        /// Folder of the policies; `policies` beside the config unless told otherwise.
        directory: Option<At<FilePath>>,
        /// Further data classes.
        data_classes: Vec<At<String>>,
        /// Further agreements.
        agreements: Vec<At<String>>,
        /// Further certifications.
        certifications: Vec<At<String>>,
        /// Whether a deployment is taken out when an answer of it does not place it within its declared region.
        enforce_observed_region: Option<bool>,
    }
}

impl Config {
    /// The names of tables of which something could not be read.
    pub fn spoilt(&self) -> impl Iterator<Item = &Place> {
        fn of<T>(tables: &TablesOf<T>) -> impl Iterator<Item = &Place> {
            tables.iter().filter(|named| named.spoilt).map(|named| &named.name.place)
        }
        let places = of(&self.listener).chain(of(&self.vendor)).chain(of(&self.endpoint)).chain(of(&self.deployment));
        places.chain(of(&self.pool)).chain(of(&self.team)).chain(of(&self.key))
    }
}
