//! The tables of the config, each field once: how it is written, what it means, whether it must be there.

use crate::config::reader::{At, TablesOf, choice, section};
use crate::config::values::{
    ByteSize, FilePath, KeySecret, NamedCredential, Number, SecretSource, Tier, Until, UsdPerMillion,
};
use std::time::Duration;

section! {
    /// The config of Backstay.
    Config {
        /// Further files of the same form, relative to this one.
        include: Vec<At<FilePath>>,
        /// Addresses that accept clients.
        listener: TablesOf<Listener>,
        /// The address for people and scrapers.
        admin: Option<At<Admin>>,
        /// Where durable state is kept.
        state: Option<At<State>>,
        /// Bounds of what clients may do to this process.
        server: Option<At<Server>>,
        /// Where the policies are and which words they may use.
        policy: Option<At<PolicyTable>>,
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
    /// Bounds of what clients may do to this process.
    Server {
        /// Largest request body.
        max_body: Option<At<ByteSize>>,
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
    }
}

choice! {
    /// How requests to a vendor are authenticated.
    Auth {
        /// The credential goes into the header that the dialect names.
        Bearer = "bearer",
        /// Signed with an AWS key.
        Sigv4 = "sigv4",
        /// A Google access token.
        Google = "google",
        /// A Microsoft Entra token.
        Entra = "entra",
    }
}

section! {
    /// A company: who it is, what it promises.
    Vendor {
        /// Wire format family: "openai", "anthropic".
        dialect: At<String>,
        /// The quirks of a compatible vendor.
        profile: Option<At<String>>,
        /// The wire formats it speaks, where fewer than its family.
        speaks: Vec<At<String>>,
        /// Country where the company is seated, not where data go.
        seat: Option<At<String>>,
        /// Agreements that were signed with it, such as "dpa", "scc", "baa".
        agreements: Option<Vec<At<String>>>,
        /// Certifications it holds, such as "soc2", "iso27001".
        certifications: Option<Vec<At<String>>>,
        /// Days for which it keeps calls.
        retention_days: Option<u32>,
        /// Whether it trains on what it is sent.
        trains_on_inputs: Option<bool>,
        /// Its own endpoint, with the path prefix that its dialect documents.
        base_url: Option<At<String>>,
        /// Where that endpoint processes.
        region: Option<At<String>>,
        /// Our secret there.
        credential: Option<At<SecretSource>>,
        /// Several secrets; each makes a deployment of its own.
        credentials: Vec<NamedCredential>,
        /// Its machine-readable status page.
        status_url: Option<At<String>>,
        /// PEM file of an authority to trust there beside the system's.
        ca_file: Option<At<FilePath>>,
        /// Whether its host may resolve to a private address.
        allow_private: Option<bool>,
        /// Whether HTTP/2 is offered to it.
        http2: Option<bool>,
        /// How requests are authenticated.
        auth: Option<At<Auth>>,
        /// Google Cloud project.
        project: Option<String>,
        /// Google Cloud location.
        location: Option<String>,
        /// Azure API version.
        api_version: Option<String>,
        /// Azure form of URLs.
        url_form: Option<String>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
    }
}

section! {
    /// A further place where a vendor answers: same company, other place and key.
    Endpoint {
        /// Whose it is.
        vendor: At<String>,
        /// Where it answers, with the path prefix that the dialect documents.
        base_url: At<String>,
        /// Where it processes.
        region: Option<At<String>>,
        /// Our secret there.
        credential: Option<At<SecretSource>>,
        /// Several secrets; each makes a deployment of its own.
        credentials: Vec<NamedCredential>,
        /// Agreements, where they differ from the vendor's.
        agreements: Option<Vec<At<String>>>,
        /// Certifications, where they differ from the vendor's.
        certifications: Option<Vec<At<String>>>,
        /// Days for which calls are kept here, where they differ from the vendor's.
        retention_days: Option<u32>,
        /// Whether calls here are trained on, where it differs from the vendor's.
        trains_on_inputs: Option<bool>,
        /// Its machine-readable status page.
        status_url: Option<At<String>>,
        /// PEM file of an authority to trust there beside the system's.
        ca_file: Option<At<FilePath>>,
        /// Whether its host may resolve to a private address.
        allow_private: Option<bool>,
        /// Whether HTTP/2 is offered to it.
        http2: Option<bool>,
        /// How requests are authenticated.
        auth: Option<At<Auth>>,
        /// Google Cloud project.
        project: Option<String>,
        /// Google Cloud location.
        location: Option<String>,
        /// Azure API version.
        api_version: Option<String>,
        /// Azure form of URLs.
        url_form: Option<String>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
    }
}

section! {
    /// Where one deployment differs from its endpoint and vendor.
    Deployment {
        /// Where this model processes.
        region: Option<At<String>>,
        /// Agreements that hold for this model.
        agreements: Option<Vec<At<String>>>,
        /// Certifications that hold for this model.
        certifications: Option<Vec<At<String>>>,
        /// Days for which calls of this model are kept.
        retention_days: Option<u32>,
        /// Whether calls of this model are trained on.
        trains_on_inputs: Option<bool>,
        /// Export class of the model: 0 is uncontrolled.
        export_class: Option<u32>,
        /// What it charges.
        price: Option<At<Price>>,
        /// What it cannot do although its dialect could, such as "tools", "images".
        lacks: Vec<At<String>>,
        /// What it can do although its dialect commonly cannot.
        offers: Vec<At<String>>,
        /// Tokens of prompt and answer together.
        context: Option<u64>,
        /// The answer cap that is sent where the dialect demands one and the call has none.
        max_output: Option<u64>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
    }
}

section! {
    /// US dollars per million tokens.
    Price {
        /// A fresh prompt token.
        input: Option<UsdPerMillion>,
        /// An answer token.
        output: Option<UsdPerMillion>,
        /// A prompt token read from cache; as `input` unless given.
        cached: Option<UsdPerMillion>,
        /// A prompt token written to cache; as `input` unless given.
        written: Option<UsdPerMillion>,
    }
}

section! {
    /// How long to wait for what.
    Timeouts {
        /// TCP connection.
        connect: Option<Duration>,
        /// TCP connection and TLS handshake together.
        handshake: Option<Duration>,
        /// Response headers of a streamed call.
        headers: Option<Duration>,
        /// First content of a streamed call, from the attempt's start.
        first_content: Option<Duration>,
        /// Between two reads of a stream.
        idle: Option<Duration>,
        /// Between two content events of a stream, which pings do not reset.
        progress: Option<Duration>,
        /// The whole answer of an unstreamed call.
        answer: Option<Duration>,
    }
}

choice! {
    /// The order within a tier.
    Order {
        /// As listed.
        Listed = "listed",
        /// Cheapest first.
        Price = "price",
        /// Fastest first content first.
        Latency = "latency",
    }
}

choice! {
    /// What an active probe may cost.
    Probe {
        /// No active probes.
        Off = "off",
        /// TLS handshake and the free model listing.
        Free = "free",
        /// A call of a few tokens, which the vendor bills.
        Paid = "paid",
    }
}

section! {
    /// The deployments behind one public model name.
    Pool {
        /// Further names that clients may ask for.
        aliases: Vec<At<String>>,
        /// "endpoint/model" in order of preference; a nested list is one tier.
        deployments: At<Vec<Tier>>,
        /// The order within a tier.
        order: Option<Order>,
        /// Upper bound of what a deployment may charge.
        max_price: Option<At<Price>>,
        /// When a deployment that grew too expensive is left and used again.
        surge: Option<At<Surge>>,
        /// How long to wait for the preferred deployment before moving.
        patience: Option<Duration>,
        /// Attempts of one exchange.
        attempts: Option<At<u32>>,
        /// Time of one exchange until content goes out.
        deadline: Option<Duration>,
        /// Whether broken streams are carried on where it is safe.
        continuation: Option<bool>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
        /// When a deployment is taken out and tried again.
        breaker: Option<At<Breaker>>,
        /// What an active probe may cost.
        probe: Option<Probe>,
        /// The pause between probes of a deployment that is out.
        probe_every: Option<Duration>,
    }
}

section! {
    /// Factors of `max_price` at which a deployment is left and used again.
    Surge {
        /// Above this factor it is left.
        leave: Option<Number>,
        /// Below this factor it is used again.
        r#return: Option<Number>,
        /// How long the price must hold.
        hold: Option<Duration>,
    }
}

section! {
    /// When a deployment is taken out and tried again.
    Breaker {
        /// Consecutive hard failures that take it out.
        consecutive: Option<u32>,
        /// Fewest samples for the ratio to count.
        samples: Option<u32>,
        /// It is taken out when fewer than this share succeeded, in per cent.
        success_percent: Option<u32>,
        /// First time out.
        open: Option<Duration>,
        /// Longest time out.
        cap: Option<Duration>,
        /// Successes in a row that take it in again.
        close_after: Option<u32>,
        /// How long its share of calls grows after that.
        slow_start: Option<Duration>,
    }
}

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

section! {
    /// Money for a time.
    Budget {
        /// US dollars.
        usd: Number,
        /// For how long.
        period: Period,
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
    }
}
