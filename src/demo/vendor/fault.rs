//! The ways in which a simulated vendor misbehaves, each with a stable name.

use crate::base::diagnostic::nearest;
use std::fmt;
use std::str::FromStr;

/// When in a call's life a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before a request can be sent: listener, connection or handshake.
    Connection,
    /// After the request and before any content, so that another vendor can answer instead.
    BeforeContent,
    /// The vendor finds fault with the call itself: another vendor of the kind would say the same.
    Verdict,
    /// The answer is whole, and something about it must not do harm.
    Harmless,
    /// After the first content.
    AfterContent,
}

/// One table makes the enum, its names, its phases and what the demo says about each.
macro_rules! faults {
    ($($phase:ident { $($(#[doc = $says:literal])+ $fault:ident = $name:literal,)+ })+) => {
        /// One way to misbehave.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault {
            $($($(#[doc = $says])+ $fault,)+)+
        }

        impl Fault {
            /// Every fault, by phase.
            pub const ALL: &'static [Self] = &[$($(Self::$fault,)+)+];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$fault => $name,)+)+ }
            }

            /// When it strikes.
            #[must_use]
            pub const fn phase(self) -> Phase {
                match self { $($(Self::$fault => Phase::$phase,)+)+ }
            }

            /// What the vendor does, in one line.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $($(Self::$fault => concat!($($says),+).trim_ascii(),)+)+ }
            }
        }
    };
}

faults! {
    Connection {
        /// The listener is closed.
        Refuse = "refuse",
        /// Connections are never made.
        Blackhole = "blackhole",
        /// The connection is reset as soon as it is accepted.
        ResetOnAccept = "reset-on-accept",
        /// No ServerHello ever comes.
        TlsStall = "tls-stall",
        /// The ClientHello is answered with garbage.
        TlsGarbage = "tls-garbage",
        /// The certificate has expired.
        CertificateExpired = "certificate-expired",
        /// The certificate is signed by itself.
        CertificateSelfSigned = "certificate-self-signed",
        /// The certificate names another host.
        CertificateWrongName = "certificate-wrong-name",
    }
    BeforeContent {
        /// The connection is reset once the request was read.
        Reset = "reset",
        /// The connection is closed without an answer.
        Close = "close",
        /// The request is read and nothing is answered.
        Silence = "silence",
        /// Response headers come, and nothing after them.
        HeadersThenSilence = "headers-then-silence",
        /// Response headers come, then nothing but pings.
        PingsFirst = "pings-first",
        /// Bytes come that are not HTTP.
        Garbage = "garbage",
        /// The answer says that it is compressed, and cannot be read.
        BadEncoding = "bad-encoding",
        /// An HTML page comes with status 200.
        Html = "html",
        /// A 200 without a body.
        EmptyBody = "empty-body",
        /// A 200 with `{}`.
        EmptyObject = "empty-object",
        /// The body ends before the length that was declared, or before its last chunk.
        TruncatedLength = "truncated-length",
        /// The framing is right and the JSON in it is cut.
        TruncatedJson = "truncated-json",
        /// A 307 to somewhere else.
        Redirect = "redirect",
        /// The head declares a length and chunks at once.
        LengthAndChunked = "length-and-chunked",
        /// The head declares two lengths.
        ConflictingLengths = "conflicting-lengths",
        /// Ten thousand interim responses precede the answer.
        InterimStorm = "interim-storm",
        /// Status 500, the vendor failed.
        Status500 = "status-500",
        /// Status 502, its gateway failed and shows an HTML page.
        Status502 = "status-502",
        /// Status 503, it is unavailable.
        Status503 = "status-503",
        /// Status 529, it is overloaded.
        Status529 = "status-529",
        /// Status 429, it throttles.
        Status429 = "status-429",
        /// Status 401, the credential is refused.
        Status401 = "status-401",
        /// Status 403, the account may not use the model.
        Status403 = "status-403",
        /// Status 404, the model is gone.
        Status404 = "status-404",
        /// The account's money is spent.
        Quota = "quota",
        /// Refused for where the call comes from.
        RegionDenied = "region-denied",
        /// A 200 whose first event is an error.
        ErrorFirst = "error-first",
        /// The same, one byte a chunk.
        ErrorFirstSplit = "error-first-split",
        /// A stream that ends at once.
        EmptyStream = "empty-stream",
        /// JSON a hundred thousand levels deep.
        JsonBomb = "json-bomb",
        /// An answer larger than anybody should take.
        Oversize = "oversize",
        /// Headers at once, the first content late.
        SlowFirstContent = "slow-first-content",
    }
    Verdict {
        /// The call is too long for the model.
        ContextLength = "context-length",
        /// The call is refused for its content.
        ContentPolicy = "content-policy",
        /// The vendor finds the request malformed.
        Status400 = "status-400",
    }
    Harmless {
        /// A second response follows that nobody asked for.
        ExtraResponse = "extra-response",
        /// The answer carries a cookie and headers that pretend to be the proxy's.
        StrayHeaders = "stray-headers",
        /// Every connection answers once and is reset when it is used again.
        StaleKeepAlive = "stale-keep-alive",
        /// Every answer closes its connection.
        ConnectionClose = "connection-close",
    }
    AfterContent {
        /// Reset after some words.
        CutReset = "cut-reset",
        /// Closed after some words.
        CutClose = "cut-close",
        /// Silent after some words.
        Stall = "stall",
        /// Nothing but pings after some words.
        PingsOnly = "pings-only",
        /// One byte at a time.
        Drip = "drip",
        /// An error event after some words.
        ErrorAfterContent = "error-after-content",
        /// The body ends after the finish reason, without a terminator.
        NoTerminator = "no-terminator",
        /// Everything comes but the terminator, and the connection stays open.
        TerminatorWithheld = "terminator-withheld",
        /// The terminator comes without a finish reason.
        TerminatorOnly = "terminator-only",
        /// Closed in the middle of the terminator.
        TerminatorCut = "terminator-cut",
        /// Closed in the middle of the event that holds the finish reason.
        FinishCut = "finish-cut",
        /// One event is not JSON.
        MalformedEvent = "malformed-event",
        /// The end is told twice.
        TwoTerminators = "two-terminators",
        /// One event is larger than anybody should take.
        OversizeEvent = "oversize-event",
    }
}

impl Fault {
    /// The faults that strike before content, which another vendor can make good.
    pub fn before_content() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|fault| matches!(fault.phase(), Phase::Connection | Phase::BeforeContent))
    }

    /// Whether it strikes before a request can be sent.
    #[must_use]
    pub fn strikes_connection(self) -> bool {
        self.phase() == Phase::Connection
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No fault has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called {typed:?}{}", .near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
pub struct UnknownFault {
    typed: String,
    near: Option<&'static str>,
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|fault| fault.name() == typed).ok_or_else(|| UnknownFault {
            typed: typed.to_owned(),
            near: nearest(typed, Self::ALL.iter().map(|fault| fault.name())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_fault() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert!(!fault.says().is_empty());
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = "status-50".parse::<Fault>().unwrap_err();
        assert!(error.to_string().contains("status-500"), "{error}");
    }
}
