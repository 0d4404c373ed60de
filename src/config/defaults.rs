//! Every bound and default of the config in one place, each with the reason for its number.

use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Where people and scrapers are served unless told otherwise: this machine alone.
pub const ADMIN_ADDRESS: &str = "127.0.0.1:9443";
/// Where durable state is kept unless told otherwise.
pub const STATE_DIRECTORY: &str = "state";
/// Where policies are looked for unless told otherwise.
pub const POLICY_DIRECTORY: &str = "policies";
/// What the company's own zones and regions are called, in the folder of the policies.
pub const ZONE_FILE: &str = "zones.toml";
/// Where the policies' tests are, in the folder of the policies.
pub const POLICY_TEST_DIRECTORY: &str = "tests";
/// Where the properties are that policies must have, in the folder of the policies.
pub const PROPERTY_DIRECTORY: &str = "properties";
/// Where dated prices are looked for.
pub const PRICE_FILE: &str = "prices.toml";
/// Where a newer list of what models can do is looked for.
pub const MODELS_FILE: &str = "models.json";

/// Size after which the next file of the decision log is begun: about a hundred thousand records, read at a start in a second.
pub const AUDIT_ROTATE_BYTES: u64 = 64 << 20;
/// The least that can be configured: some records between a header and a checkpoint.
pub const AUDIT_ROTATE_LEAST: u64 = 64 << 10;

/// Largest file that is read at all: a config of 10,000 keys has about 2 MiB.
pub const MAX_FILE_BYTES: u64 = 16 << 20;
/// Most policy files in a folder.
pub const MAX_POLICY_FILES: usize = 1000;
/// Longest secret: vendors' tokens stay under 4 KiB, and it must fit into a header.
pub const MAX_SECRET_BYTES: usize = 8 << 10;

/// TCP connection: two lost SYN packets (1 s + 2 s) fit.
pub const CONNECT: Duration = seconds(3);
/// TCP connection and TLS handshake.
pub const HANDSHAKE: Duration = seconds(5);
/// Response headers of a streamed call.
pub const HEADERS: Duration = seconds(10);
/// First content of a streamed call.
pub const FIRST_CONTENT: Duration = seconds(10);
/// Between two reads of a stream; vendors ping every 5 to 15 s.
pub const IDLE: Duration = seconds(30);
/// Between two content events of a stream.
pub const PROGRESS: Duration = seconds(60);
/// Four content events of a stream: one every 25 s is still an answer.
pub const TRICKLE: Duration = seconds(120);
/// The whole answer of an unstreamed call: with the time of another answer it stays below the two minutes that clients wait.
pub const ANSWER: Duration = seconds(90);

/// Consecutive hard failures that open a breaker.
pub const BREAKER_CONSECUTIVE: u32 = 5;
/// Fewest samples for the ratio to count.
pub const BREAKER_SAMPLES: u32 = 10;
/// Share of successes below which a breaker opens, in per cent.
pub const BREAKER_SUCCESS_PERCENT: u32 = 50;
/// First open time.
pub const BREAKER_OPEN: Duration = seconds(5);
/// Longest open time.
pub const BREAKER_CAP: Duration = seconds(120);
/// Successes that close a half-open breaker.
pub const BREAKER_CLOSE_AFTER: u32 = 2;
/// How long a deployment's share grows after its breaker closed: a herd on a vendor that just came back fells it again.
pub const BREAKER_SLOW_START: Duration = seconds(60);
/// The pause between probes of an open deployment.
pub const PROBE_EVERY: Duration = seconds(10);

/// Attempts of one exchange: with more, one client request becomes a storm while vendors are down.
pub const ATTEMPTS: u32 = 3;
/// Most attempts that can be configured.
pub const MAX_ATTEMPTS: u32 = 10;
/// Time of one exchange until content goes out: the OpenAI SDK's own limit.
pub const DEADLINE: Duration = seconds(600);
/// How long to wait for the preferred deployment before moving.
pub const PATIENCE: Duration = seconds(2);
/// The factor of `max_price` above which a deployment is left.
pub const SURGE_LEAVE: f64 = 1.2;
/// The factor of `max_price` at which it is used again.
pub const SURGE_RETURN: f64 = 1.0;
/// How long its price must have been so low.
pub const SURGE_HOLD: Duration = seconds(600);
/// The share of calls that may be asked of two deployments at once, in per cent: no more than are slower than the delay.
pub const HEDGE_SHARE_PERCENT: u32 = 5;
/// The most that can be configured: beyond it hedging is a second load on vendors that are slow already.
pub const MOST_HEDGE_SHARE_PERCENT: u32 = 20;
/// Answer cap where Anthropic's dialect demands one and the call has none.
pub const MAX_OUTPUT_TOKENS: u64 = 8192;

/// Largest request body: vendors take 20 to 32 MB.
pub const MAX_BODY_BYTES: u64 = 32 << 20;
/// Largest body that is passed on as it comes: the largest file that vendors take in one piece.
pub const MAX_UPLOAD_BYTES: u64 = 512 << 20;
/// Largest answer that is not streamed: images as base64 stay below.
pub const MAX_ANSWER_BYTES: u64 = 32 << 20;
/// Most header lines.
pub const MAX_HEADERS: u32 = 100;
/// Largest head of a request.
pub const MAX_HEAD_BYTES: u64 = 32 << 10;
/// Longest path with its query.
pub const MAX_PATH_BYTES: u64 = 8 << 10;
/// Most requests at once on one HTTP/2 connection.
pub const MAX_STREAMS: u32 = 200;
/// Most client connections at once.
pub const MAX_CONNECTIONS: u32 = 20_000;
/// TLS handshake with a client.
pub const CLIENT_HANDSHAKE: Duration = seconds(10);
/// Arrival of a request's head.
pub const HEAD: Duration = seconds(10);
/// Longest pause within a request body.
pub const BODY: Duration = seconds(30);
/// Slowest request body per second, after the grace.
pub const BODY_MIN_RATE_BYTES: u64 = 1 << 10;
/// How long a request body may be slower than that.
pub const BODY_GRACE: Duration = seconds(5);
/// How long a connection without a request is kept: longer than common load balancers' 60 s.
pub const CLIENT_IDLE: Duration = seconds(75);
/// How long a client may leave an answer unread.
pub const WRITE: Duration = seconds(60);
/// How long the head of a streamed answer is held before the client gets a sign of life.
pub const PING_AFTER: Duration = seconds(10);
/// How long connections are accepted after the signal to stop: what load balancers need to notice.
pub const DRAIN_ACCEPT: Duration = seconds(5);
/// How long open exchanges may take to end.
pub const DRAIN: Duration = seconds(600);
