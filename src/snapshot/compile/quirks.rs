//! What the config says of a vendor's ways, laid over its profile.

use super::Compiler;
use crate::call::needs::Need;
use crate::config::tables::{self, MaxTokensMember};
use crate::config::{At, tables::ToolCallIds as Rule};
use crate::dialect::profile::Profile;
use crate::dialect::profile::quirks::{EFFORTS, Efforts, Member, Members, ToolCallIds};

impl Compiler<'_> {
    /// The profiles of a vendor with `[vendor.NAME.quirks]` laid over each of them.
    pub(super) fn with_quirks(&mut self, table: &tables::Vendor, mut profiles: Vec<Profile>) -> Vec<Profile> {
        let Some(written) = &table.quirks else { return profiles };
        let efforts = written.efforts.as_deref().map(|words| self.efforts(words));
        let members = written.refused_members.as_deref().map(|names| self.members(names));
        let (offers, lacks) = (self.needs(&written.offers), self.needs(&written.lacks));
        for profile in &mut profiles {
            overlay(profile, written);
            let quirks = &mut profile.quirks;
            quirks.efforts = efforts.unwrap_or(quirks.efforts);
            quirks.refused_members = members.unwrap_or(quirks.refused_members);
            profile.capabilities = offers.iter().fold(profile.capabilities, |all, need: &Need| all.with(*need));
            profile.capabilities = lacks.iter().fold(profile.capabilities, |all, need| all.without(*need));
        }
        profiles
    }

    fn efforts(&mut self, words: &[At<String>]) -> Efforts {
        let known: Vec<&str> = words
            .iter()
            .filter_map(|word| {
                let known = EFFORTS.into_iter().find(|known| known == &word.as_str());
                if known.is_none() {
                    self.unknown(word, "effort", EFFORTS);
                }
                known
            })
            .collect();
        Efforts::of(&known)
    }

    fn members(&mut self, names: &[At<String>]) -> Members {
        names.iter().fold(Members::NONE, |members, name| {
            match Member::ALL.into_iter().find(|member| member.name() == name.as_str()) {
                Some(member) => members.and(member),
                None => {
                    self.unknown(name, "member that can be left out", Member::ALL.map(Member::name));
                    members
                }
            }
        })
    }
}

/// Sets what is written and needs no look-up.
fn overlay(profile: &mut Profile, written: &tables::Quirks) {
    fn set<T: Copy>(field: &mut T, written: Option<T>) {
        *field = written.unwrap_or(*field);
    }
    if let Some(member) = written.max_tokens_member {
        profile.max_tokens_member = match member {
            MaxTokensMember::MaxTokens => "max_tokens",
            MaxTokensMember::MaxCompletionTokens => "max_completion_tokens",
        };
    }
    set(&mut profile.usage_on_request, written.usage_on_request);
    set(&mut profile.terminator_is_final, written.terminator_is_final);
    set(&mut profile.retry_after_on_overload, written.retry_after_on_overload);
    set(&mut profile.insufficient_quota_is_money, written.insufficient_quota_is_money);
    let quirks = &mut profile.quirks;
    set(&mut quirks.strict_members, written.strict_members);
    set(&mut quirks.developer_role, written.developer_role);
    set(&mut quirks.late_system, written.late_system);
    set(&mut quirks.think_tags, written.think_tags);
    set(&mut quirks.stops, written.stops.and_then(|stops| usize::try_from(stops).ok()));
    set(&mut quirks.strict_max_tokens, written.strict_max_tokens);
    set(&mut quirks.tool_result_images, written.tool_result_images);
    set(&mut quirks.strict_schemas, written.strict_schemas);
    set(&mut quirks.prefix, written.prefix);
    let rule = written.tool_call_ids.map(|rule| match rule {
        Rule::Any => ToolCallIds::Any,
        Rule::NineAlphanumerics => ToolCallIds::NineAlphanumerics,
    });
    set(&mut quirks.tool_call_ids, rule);
}
