//! Where a vendor departs from OpenAI's own words, as data: each field is also a key of `[vendor.NAME.quirks]`.

/// The efforts that vendors know, from none to most; `default` leaves the amount to the model.
pub const EFFORTS: [&str; 8] = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "default"];

/// How a vendor departs from OpenAI's own words. What stands here is a fact of the vendor, not of one model: those are in
/// the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether members beyond those that it lists are refused, so that nothing may pass as the client wrote it.
    pub strict_members: bool,
    /// Members of OpenAI's that it refuses or, worse, overlooks.
    pub refused_members: Members,
    /// Whether the role `developer` is known; else it is written as `system`.
    pub developer_role: bool,
    /// Whether system texts may come behind the conversation's beginning; else they are moved there.
    pub late_system: bool,
    /// The rule for ids of tool calls.
    pub tool_call_ids: ToolCallIds,
    /// Where an answer tells the model's thoughts, where that is not a member of its own.
    pub think_tags: bool,
    /// The words of `reasoning_effort` that it takes.
    pub efforts: Efforts,
    /// The most texts of `stop`.
    pub stops: usize,
    /// Whether a cap on the answer above what the model gives is refused, instead of trimmed.
    pub strict_max_tokens: bool,
    /// Whether a tool's result may hold images.
    pub tool_result_images: bool,
    /// Whether a strict schema must require every property (recording `f1693f7096750a84`).
    pub strict_schemas: bool,
    /// Whether a last message of the model's own that says `prefix: true` is the beginning of its answer, which then repeats it.
    pub prefix: bool,
}

/// The rule for ids of tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolCallIds {
    /// Any text.
    Any,
    /// Exactly nine letters and digits (recording `0e34c8f9e53ee75d`).
    NineAlphanumerics,
}

/// Members that a vendor refuses or overlooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members(u8);

/// A member that some vendor refuses or overlooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Member {
    /// `user`: left out, as it tells the vendor of end users and asks nothing of the answer.
    User = 1,
    /// `name` of a message's speaker: such a call is refused.
    Name = 1 << 1,
    /// `parallel_tool_calls`: `false` is refused, `true` left out.
    ParallelToolCalls = 1 << 2,
    /// `tool_choice` that forces a tool: refused.
    ForcedTools = 1 << 3,
    /// `stream_options`: left out, as such a vendor tells the usage of every stream.
    StreamOptions = 1 << 4,
}

impl Member {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::User, Self::Name, Self::ParallelToolCalls, Self::ForcedTools, Self::StreamOptions];

    /// Its name in the config and in refusals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Name => "name",
            Self::ParallelToolCalls => "parallel_tool_calls",
            Self::ForcedTools => "tool_choice",
            Self::StreamOptions => "stream_options",
        }
    }
}

impl Members {
    /// None.
    pub const NONE: Self = Self(0);

    /// These and one more.
    #[must_use]
    pub const fn and(self, member: Member) -> Self {
        Self(self.0 | member as u8)
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn has(self, member: Member) -> bool {
        self.0 & member as u8 != 0
    }
}

/// A set of words of [`EFFORTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Efforts(u8);

impl Efforts {
    /// Whatever the client says.
    pub const ANY: Self = Self(u8::MAX);

    /// These words; others than those of [`EFFORTS`] count as none.
    #[must_use]
    pub const fn of(words: &[&str]) -> Self {
        let (mut bits, mut place) = (0, 0);
        while place < words.len() {
            let mut known = 0;
            while known < EFFORTS.len() {
                if same(words[place], EFFORTS[known]) {
                    bits |= 1 << known;
                }
                known += 1;
            }
            place += 1;
        }
        Self(bits)
    }

    /// The word to say for `effort`: itself where it is taken or new to us, else the nearest below, else the lowest above.
    /// Whether to think at all is never turned round: `None` where only that would be left.
    #[must_use]
    pub fn nearest(self, effort: &str) -> Option<&str> {
        let Some(place) = EFFORTS.iter().position(|known| *known == effort) else { return Some(effort) };
        let takes = |place: &usize| self.0 & 1 << place != 0;
        if takes(&place) {
            return Some(effort);
        }
        // `none` and `default` are no amounts
        if !(1..=6).contains(&place) {
            return None;
        }
        let nearest = (1..place).rev().find(takes).or_else(|| (place..=6).find(takes))?;
        EFFORTS.get(nearest).copied()
    }
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut place = 0;
    while place < left.len() && place < right.len() && left[place] == right[place] {
        place += 1;
    }
    place == left.len() && place == right.len()
}

impl Quirks {
    /// None: everything as at OpenAI itself.
    pub const NONE: Self = Self {
        strict_members: false,
        refused_members: Members::NONE,
        developer_role: true,
        late_system: true,
        tool_call_ids: ToolCallIds::Any,
        think_tags: false,
        efforts: Efforts::ANY,
        stops: 4,
        strict_max_tokens: true,
        tool_result_images: false,
        strict_schemas: true,
        prefix: false,
    };

    /// What is safe to assume of a vendor that says no more than that it is compatible.
    pub const COMPATIBLE: Self =
        Self { developer_role: false, strict_max_tokens: false, strict_schemas: false, ..Self::NONE };
}

impl ToolCallIds {
    /// The id to send for the client's: the same for a call and its result, and the same whenever it is asked, so that a
    /// result finds its call after a failover and back.
    #[must_use]
    pub fn fit(self, id: &str) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Any => id.into(),
            Self::NineAlphanumerics if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                id.into()
            }
            Self::NineAlphanumerics => nine_alphanumerics(id).into(),
        }
    }
}

/// Letters and digits, 62 of them.
const ALPHANUMERICS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Nine letters and digits that stand for `id`: 53 bits of its SHA-256.
fn nine_alphanumerics(id: &str) -> String {
    let digest = crate::base::hash::Digest::of_parts([id.as_bytes()]);
    let mut rest = digest.0.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    let mut letters = String::with_capacity(9);
    for _ in 0..9 {
        let place = usize::try_from(rest % 62).unwrap_or_default();
        letters.push(char::from(ALPHANUMERICS.get(place).copied().unwrap_or(b'0')));
        rest /= 62;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_that_is_not_taken_becomes_the_nearest() {
        let check = |words: &[&str], effort: &str, expected: Option<&str>| {
            assert_eq!(Efforts::of(words).nearest(effort), expected, "{words:?} {effort}");
        };
        let three = ["low", "medium", "high"];
        check(&three, "medium", Some("medium"));
        check(&three, "xhigh", Some("high"));
        check(&three, "minimal", Some("low"));
        check(&three, "none", None);
        check(&["none", "high"], "low", Some("high"));
        check(&["none", "high"], "none", Some("none"));
        check(&three, "colossal", Some("colossal"));
        check(&[], "low", None);
        assert_eq!(Efforts::ANY.nearest("max"), Some("max"));
    }

    #[test]
    fn ids_of_tool_calls_are_mapped_the_same_way_every_time() {
        let nine = ToolCallIds::NineAlphanumerics;
        assert_eq!(nine.fit("g6fVbX012"), "g6fVbX012");
        assert_eq!(ToolCallIds::Any.fit("call_1"), "call_1");
        for id in ["call_AbCdEfGhIjKlMnOpQrStUvWx", "toolu_01", "", "functions.add:0", "g6fVbX01-", "ünfbyte1"] {
            let mapped = nine.fit(id).into_owned();
            assert!(mapped.len() == 9 && mapped.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}: {mapped}");
            assert_eq!(nine.fit(id), mapped, "{id}");
            assert_eq!(nine.fit(&mapped), mapped, "{id}");
        }
        assert_ne!(nine.fit("call_1"), nine.fit("call_2"));
    }
}
