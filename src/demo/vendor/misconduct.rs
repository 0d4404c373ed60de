//! The steps of a vendor that misbehaves, fault by fault.

use super::fault::Fault;
use super::openai_responses;
use super::plan::{Call, Framing, Head, Step, bodies, ok, whole};
use super::script::Cuts;
use super::speech::{self, ErrorAnswer, Wrong};
use crate::dialect::Dialect;
use bytes::Bytes;
use std::time::Duration;

/// The beginning of something compressed (RFC 1952 §2.3), and then nothing that can be read.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xfe not compressed at all\n\n";

impl Call<'_> {
    pub(super) fn under(&self, fault: Fault) -> Vec<Step> {
        let wrong = |wrong| self.refuse(wrong);
        match fault {
            // A connection that was open before the fault came: it goes the way that new ones go.
            Fault::Blackhole | Fault::TlsStall | Fault::Silence => vec![Step::Hang],
            Fault::Refuse
            | Fault::ResetOnAccept
            | Fault::TlsGarbage
            | Fault::CertificateExpired
            | Fault::CertificateSelfSigned
            | Fault::CertificateWrongName
            | Fault::Reset => vec![Step::Reset],
            Fault::Close => vec![Step::Close],
            Fault::HeadersThenSilence => vec![self.head(), Step::Hang],
            Fault::PingsFirst => vec![
                Step::Head(ok(self.stream_type(), Framing::Chunked)),
                Step::Repeat(speech::ping(self.dialect), self.script.ping_every),
            ],
            Fault::Garbage => {
                vec![Step::Raw(Bytes::from_static(b"\x16\x03\x01\x02\0 no HTTP at all\r\n\r\n")), Step::Close]
            }
            Fault::BadEncoding => self.badly_encoded(),
            Fault::Html => whole(200, "text/html", speech::HTML),
            Fault::EmptyBody => whole(200, "application/json", b""),
            Fault::EmptyObject => whole(200, "application/json", b"{}"),
            Fault::TruncatedLength | Fault::TruncatedJson => self.truncated(fault),
            Fault::Redirect => self.redirect(),
            Fault::LengthAndChunked | Fault::ConflictingLengths => ambiguous(fault, &self.answer_bytes()),
            Fault::ExtraResponse => self.with_extra_response(),
            Fault::InterimStorm => self.after_interim_storm(),
            Fault::Status500 => wrong(Wrong::ServerError),
            Fault::Status502 => wrong(Wrong::BadGateway),
            Fault::Status503 => wrong(Wrong::Unavailable),
            Fault::Status529 => wrong(Wrong::Overloaded),
            Fault::Status429 => wrong(Wrong::RateLimited),
            Fault::Status401 => wrong(Wrong::Credential),
            Fault::Status403 => wrong(Wrong::Forbidden),
            Fault::Status404 => wrong(Wrong::ModelGone),
            Fault::Quota => wrong(Wrong::Quota),
            Fault::RegionDenied => wrong(Wrong::RegionDenied),
            Fault::ContextLength => wrong(Wrong::ContextLength),
            Fault::ContentPolicy => wrong(Wrong::ContentPolicy),
            Fault::Status400 => wrong(Wrong::BadRequest),
            Fault::ErrorFirst | Fault::ErrorFirstSplit => self.error_first(fault),
            Fault::EmptyStream => self.empty(),
            Fault::JsonBomb => self.one_event(&bomb()),
            Fault::Oversize => self.one_event(&oversized(self.script.oversize_bytes)),
            Fault::SlowFirstContent => self.slow_first_content(),
            Fault::StrayHeaders => self.with_stray_headers(),
            // Whether a connection has served before is known where connections are.
            Fault::StaleKeepAlive => self.well(),
            Fault::ConnectionClose => self.closing_connection(),
            Fault::CutReset
            | Fault::CutClose
            | Fault::Stall
            | Fault::PingsOnly
            | Fault::Drip
            | Fault::ErrorAfterContent
            | Fault::NoTerminator
            | Fault::TerminatorWithheld
            | Fault::TerminatorOnly
            | Fault::TerminatorCut
            | Fault::FinishCut
            | Fault::MalformedEvent
            | Fault::TwoTerminators
            | Fault::OversizeEvent => self.after_content(fault),
        }
    }

    fn answer_bytes(&self) -> Bytes {
        let answer = self.answer();
        let parts = [answer.opening, answer.content, answer.closing, vec![answer.terminator]];
        Bytes::from(parts.concat().concat())
    }

    pub(super) fn refuse(&self, wrong: Wrong) -> Vec<Step> {
        let ErrorAnswer { status, mut headers, body } = speech::error(self.dialect, wrong);
        if let Some(wait) = &self.script.retry_after {
            headers.retain(|(name, _)| name != "retry-after");
            if !wait.is_empty() {
                headers.push(("retry-after".to_owned(), wait.clone()));
            }
        }
        vec![Step::Head(Head { status, headers, framing: Framing::Length(body.len()) }), Step::Body(body), Step::End]
    }

    fn truncated(&self, fault: Fault) -> Vec<Step> {
        let answer = self.answer();
        let first = if answer.streamed { answer.opening.first() } else { answer.content.first() };
        let half = first.map(|first| first.slice(..first.len() / 2)).unwrap_or_default();
        match (fault, self.head_of(&answer)) {
            (Fault::TruncatedJson, Step::Head(head)) if !answer.streamed => {
                let framing = Framing::Length(half.len());
                vec![Step::Head(Head { framing, ..head }), Step::Body(half), Step::End]
            }
            (Fault::TruncatedJson, head) => vec![head, Step::Body(half), Step::End],
            (_, head) => vec![head, Step::Body(half), Step::Close],
        }
    }

    fn badly_encoded(&self) -> Vec<Step> {
        let mut head = match self.head() {
            Step::Head(head) => head,
            _ => ok("application/json", Framing::Chunked),
        };
        head.framing = Framing::Length(GZIP.len());
        head.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        vec![Step::Head(head), Step::Body(Bytes::from_static(GZIP)), Step::End]
    }

    fn redirect(&self) -> Vec<Step> {
        let headers = vec![("location".to_owned(), self.script.redirect_to.clone())];
        vec![Step::Head(Head { status: 307, headers, framing: Framing::Length(0) }), Step::End]
    }

    fn with_extra_response(&self) -> Vec<Step> {
        let stray: &[u8] =
            br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"STRAY"},"finish_reason":"stop"}]}"#;
        let mut extra =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", stray.len())
                .into_bytes();
        extra.extend_from_slice(stray);
        self.well().into_iter().chain([Step::Raw(extra.into())]).collect()
    }

    fn after_interim_storm(&self) -> Vec<Step> {
        let storm = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n".repeat(10_000);
        std::iter::once(Step::Raw(storm.into())).chain(self.well()).collect()
    }

    fn error_first(&self, fault: Fault) -> Vec<Step> {
        let event = speech::error_event(self.dialect);
        if !self.asked.streamed {
            let body = speech::error(self.dialect, Wrong::ServerError).body;
            return whole(200, "application/json", &body);
        }
        let pieces = if fault == Fault::ErrorFirstSplit { Cuts::EveryByte } else { Cuts::Whole };
        let mut steps = vec![self.head()];
        steps.extend(bodies(&pieces.of(event)));
        steps.push(Step::End);
        steps
    }

    fn empty(&self) -> Vec<Step> {
        if self.asked.streamed {
            vec![self.head(), Step::Body(self.bare_end()), Step::End]
        } else {
            whole(200, "application/json", &speech::empty_reply(self.dialect))
        }
    }

    /// What ends a stream, with nothing of the answer in it.
    fn bare_end(&self) -> Bytes {
        match self.dialect {
            Dialect::OpenaiResponses => openai_responses::empty_stream(),
            _ => self.answer().terminator,
        }
    }

    /// `json` as the whole answer, or as the only event.
    fn one_event(&self, json: &[u8]) -> Vec<Step> {
        if self.asked.streamed {
            let event = Bytes::from([b"data: ", json, b"\n\n"].concat());
            vec![self.head(), Step::Body(event), Step::Body(self.bare_end()), Step::End]
        } else {
            whole(200, "application/json", json)
        }
    }

    fn slow_first_content(&self) -> Vec<Step> {
        let answer = self.answer();
        let mut steps = self.tell(&answer);
        steps.insert(1 + answer.opening.len(), Step::Wait(self.script.slow));
        steps
    }

    fn with_stray_headers(&self) -> Vec<Step> {
        let stray = [
            ("set-cookie", "session=stray; Path=/"),
            ("x-backstay-served-by", "stray/stray"),
            ("x-backstay-attempts", "99"),
            ("x-backstay-cost-usd", "99"),
            ("alt-svc", "h3=\":443\""),
            ("strict-transport-security", "max-age=1"),
        ];
        self.well_with_headers(&stray)
    }

    fn closing_connection(&self) -> Vec<Step> {
        self.well_with_headers(&[("connection", "close")]).into_iter().chain([Step::Close]).collect()
    }

    fn well_with_headers(&self, more: &[(&str, &str)]) -> Vec<Step> {
        let mut steps = self.well();
        for step in &mut steps {
            if let Step::Head(head) = step {
                head.headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            }
        }
        steps
    }

    fn after_content(&self, fault: Fault) -> Vec<Step> {
        let answer = self.answer();
        let said = if answer.streamed { self.script.break_after_words } else { 1 }.min(answer.content.len());
        let (before, after) = answer.content.split_at(said);
        let mut steps = vec![self.head_of(&answer)];
        steps.extend(bodies(&answer.opening));
        steps.extend(self.spoken(&answer, before));
        let rest = || {
            let mut rest = self.spoken(&answer, after);
            rest.extend(bodies(&answer.closing));
            rest.extend(bodies(std::slice::from_ref(&answer.terminator)));
            rest.push(Step::End);
            rest
        };
        let end_with = |events: &[Bytes], last: Step| {
            let mut end = self.spoken(&answer, after);
            end.extend(bodies(events));
            end.push(last);
            end
        };
        let half = |event: &Bytes| event.slice(..event.len() / 2);
        steps.extend(match fault {
            Fault::CutReset => vec![Step::Reset],
            Fault::Stall => vec![Step::Hang],
            Fault::PingsOnly if answer.streamed => {
                vec![Step::Repeat(speech::ping(self.dialect), self.script.ping_every)]
            }
            Fault::PingsOnly => vec![Step::Hang],
            Fault::Drip => return drip(&self.tell(&answer), self.script.drip_every),
            // Without events there is nothing to get wrong in them.
            _ if !answer.streamed && fault != Fault::CutClose => rest(),
            Fault::ErrorAfterContent => vec![Step::Body(speech::error_event(self.dialect)), Step::End],
            Fault::NoTerminator => end_with(&answer.closing, Step::End),
            Fault::TerminatorWithheld => end_with(&answer.closing, Step::Hang),
            Fault::TerminatorOnly => end_with(std::slice::from_ref(&answer.terminator), Step::End),
            Fault::TerminatorCut => {
                end_with(&[answer.closing.clone(), vec![half(&answer.terminator)]].concat(), Step::Close)
            }
            Fault::FinishCut => end_with(&answer.closing.last().map(half).into_iter().collect::<Vec<_>>(), Step::Close),
            Fault::MalformedEvent => std::iter::once(Step::Body(Bytes::from_static(b"data: {\"choices\": [oops\n\n")))
                .chain(rest())
                .collect(),
            Fault::OversizeEvent => {
                let event = [b"data: ", oversized(self.script.oversize_bytes).as_slice(), b"\n\n"].concat();
                std::iter::once(Step::Body(event.into())).chain(rest()).collect()
            }
            Fault::TwoTerminators => {
                let end = [answer.closing.clone(), vec![answer.terminator.clone()]].concat();
                end_with(&[end.clone(), end].concat(), Step::End)
            }
            _ => vec![Step::Close],
        });
        steps
    }
}

/// A head that says two things about the body's length.
fn ambiguous(fault: Fault, body: &[u8]) -> Vec<Step> {
    let (framing, body) = if fault == Fault::LengthAndChunked {
        let chunked = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
        (format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", body.len()), chunked)
    } else {
        (format!("content-length: {}\r\ncontent-length: {}\r\n", body.len(), body.len() / 2), body.to_vec())
    };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{framing}\r\n");
    vec![Step::Raw([head.as_bytes(), &body].concat().into())]
}

fn drip(steps: &[Step], every: Duration) -> Vec<Step> {
    let one_by_one = |piece: &Bytes| {
        Cuts::EveryByte.of(piece.clone()).into_iter().flat_map(|byte| [Step::Wait(every), Step::Body(byte)]).collect()
    };
    steps
        .iter()
        .flat_map(|step| if let Step::Body(piece) = step { one_by_one(piece) } else { vec![step.clone()] })
        .collect()
}

fn bomb() -> Vec<u8> {
    [br#"{"choices":"#.as_slice(), &b"[".repeat(100_000), &b"]".repeat(100_000), b"}"].concat()
}

fn oversized(bytes: usize) -> Vec<u8> {
    let before = br#"{"id":"big","object":"chat.completion","created":0,"model":"big","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":""#;
    [before.as_slice(), &b"a".repeat(bytes), br#""}}]}"#].concat()
}
