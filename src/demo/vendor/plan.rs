//! Turns a call and a fault into the steps that a vendor takes: pure, the same for HTTP/1.1 and HTTP/2.

use super::asked::Asked;
use super::fault::Fault;
use super::script::Script;
use super::speech::{self, Answer, ErrorAnswer, Saying, Wrong};
use crate::dialect::Dialect;
use bytes::Bytes;
use std::time::Duration;

/// One thing that a vendor does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Bytes as they are, framed by nobody; HTTP/2 has no place for them and breaks the stream off.
    Raw(Bytes),
    /// Status and headers.
    Head(Head),
    /// A piece of the body, in the head's framing.
    Body(Bytes),
    /// The body is whole.
    End,
    /// Nothing for this long.
    Wait(Duration),
    /// Nothing until the peer goes.
    Hang,
    /// The same piece of the body again and again until the peer goes.
    Repeat(Bytes, Duration),
    /// The connection is reset (on HTTP/2 the stream).
    Reset,
    /// The connection is closed (on HTTP/2 the stream is reset).
    Close,
}

/// Status, headers and framing of an answer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub framing: Framing,
}

/// How a body is framed on HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A call to be answered.
pub(super) struct Call<'a> {
    pub dialect: Dialect,
    pub asked: &'a Asked,
    pub script: &'a Script,
    pub serial: usize,
}

impl Call<'_> {
    /// The steps that answer the call, under a fault or well.
    pub(super) fn plan(&self, fault: Option<Fault>) -> Vec<Step> {
        let mut steps = match self.script.thinks {
            Duration::ZERO => Vec::new(),
            pause => vec![Step::Wait(pause)],
        };
        steps.extend(match fault {
            None => self.well(),
            Some(fault) => self.under(fault),
        });
        steps
    }

    fn well(&self) -> Vec<Step> {
        match &self.script.replay {
            Some(recording) => replay(recording),
            None => self.tell(&self.answer()),
        }
    }

    fn under(&self, fault: Fault) -> Vec<Step> {
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
                Step::Head(ok("text/event-stream; charset=utf-8", Framing::Chunked)),
                Step::Repeat(speech::ping(self.dialect), self.script.ping_every),
            ],
            Fault::Garbage => {
                vec![Step::Raw(Bytes::from_static(b"\x16\x03\x01\x02\0 no HTTP at all\r\n\r\n")), Step::Close]
            }
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
            | Fault::TerminatorOnly
            | Fault::TerminatorCut
            | Fault::FinishCut
            | Fault::MalformedEvent
            | Fault::TwoTerminators
            | Fault::OversizeEvent => self.after_content(fault),
        }
    }

    fn answer(&self) -> Answer {
        Saying::new(self.asked, self.script, self.serial).answer(self.dialect)
    }

    fn answer_bytes(&self) -> Bytes {
        let answer = self.answer();
        let parts = [answer.opening, answer.content, answer.closing, vec![answer.terminator]];
        Bytes::from(parts.concat().concat())
    }

    fn head(&self) -> Step {
        self.head_of(&self.answer())
    }

    fn head_of(&self, answer: &Answer) -> Step {
        let framing = match (answer.streamed, self.script.until_close) {
            (true, true) => Framing::UntilClose,
            (true, false) => Framing::Chunked,
            (false, _) => Framing::Length(answer.content.iter().map(Bytes::len).sum()),
        };
        let kind = if answer.streamed { "text/event-stream; charset=utf-8" } else { "application/json" };
        let mut head = ok(kind, framing);
        let (name, value) = match self.dialect {
            Dialect::OpenaiChat => ("x-request-id", format!("req_demo{}", self.serial)),
            Dialect::Anthropic => ("request-id", format!("req_demo{}", self.serial)),
        };
        head.headers.push((name.to_owned(), value));
        Step::Head(head)
    }

    /// The whole answer, word by word where it is streamed.
    fn tell(&self, answer: &Answer) -> Vec<Step> {
        let mut steps = vec![self.head_of(answer)];
        steps.extend(bodies(&answer.opening));
        steps.extend(self.spoken(answer, &answer.content));
        steps.extend(bodies(&answer.closing));
        steps.extend(bodies(std::slice::from_ref(&answer.terminator)));
        steps.push(Step::End);
        steps
    }

    fn spoken(&self, answer: &Answer, content: &[Bytes]) -> Vec<Step> {
        let pause = if answer.streamed { self.script.pause } else { Duration::ZERO };
        let paused = |piece: &Bytes| match pause {
            Duration::ZERO => vec![Step::Body(piece.clone())],
            pause => vec![Step::Wait(pause), Step::Body(piece.clone())],
        };
        content.iter().flat_map(paused).collect()
    }

    fn refuse(&self, wrong: Wrong) -> Vec<Step> {
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
        let pieces =
            if fault == Fault::ErrorFirstSplit { super::script::Cuts::EveryByte } else { super::script::Cuts::Whole };
        let mut steps = vec![self.head()];
        steps.extend(bodies(&pieces.of(event)));
        steps.push(Step::End);
        steps
    }

    fn empty(&self) -> Vec<Step> {
        if self.asked.streamed {
            vec![self.head(), Step::Body(self.answer().terminator), Step::End]
        } else {
            whole(200, "application/json", &speech::empty_reply(self.dialect))
        }
    }

    /// `json` as the whole answer, or as the only event.
    fn one_event(&self, json: &[u8]) -> Vec<Step> {
        if self.asked.streamed {
            let event = Bytes::from([b"data: ", json, b"\n\n"].concat());
            vec![self.head(), Step::Body(event), Step::Body(self.answer().terminator), Step::End]
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

/// Takes a step of waiting: not even a turn of the timer for no time at all.
pub(super) async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// The free listing of models.
pub(super) fn listing(dialect: Dialect, model: Option<&str>) -> Vec<Step> {
    whole(200, "application/json", &speech::models(dialect, model))
}

/// The answer to a path that the vendor does not know.
pub(super) fn unknown_path() -> Vec<Step> {
    whole(
        404,
        "application/json",
        br#"{"error":{"message":"Invalid URL","type":"invalid_request_error","param":null,"code":null}}"#,
    )
}

fn replay(recording: &super::script::Recording) -> Vec<Step> {
    const FRAMING: [&str; 5] = ["content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive"];
    let headers = recording.headers.iter().filter(|(name, _)| !FRAMING.contains(&name.as_str())).cloned().collect();
    let framing = match recording.cuts {
        super::script::Cuts::Whole => Framing::Length(recording.body.len()),
        _ => Framing::Chunked,
    };
    let mut steps = vec![Step::Head(Head { status: recording.status, headers, framing })];
    steps.extend(bodies(&recording.cuts.of(recording.body.clone())));
    steps.push(Step::End);
    steps
}

fn ok(content_type: &str, framing: Framing) -> Head {
    Head { status: 200, headers: vec![("content-type".to_owned(), content_type.to_owned())], framing }
}

fn whole(status: u16, content_type: &str, body: &[u8]) -> Vec<Step> {
    let head = Head { status, ..ok(content_type, Framing::Length(body.len())) };
    vec![Step::Head(head), Step::Body(Bytes::copy_from_slice(body)), Step::End]
}

fn bodies(pieces: &[Bytes]) -> impl Iterator<Item = Step> {
    pieces.iter().filter(|piece| !piece.is_empty()).cloned().map(Step::Body)
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
        super::script::Cuts::EveryByte
            .of(piece.clone())
            .into_iter()
            .flat_map(|byte| [Step::Wait(every), Step::Body(byte)])
            .collect()
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
