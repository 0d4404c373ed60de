//! What a deployment lacks for a call, beside policy, health and price: what the call needs.

use crate::call::needs::{Need, Needs};
use crate::dialect::Dialect;
use crate::snapshot::deployment::Deployment;

impl Deployment {
    /// What a call in the client's dialect needs and the deployment cannot honour, by name.
    pub fn unmet(&self, client: Dialect, needs: Needs) -> impl Iterator<Item = &'static str> {
        let voice = self.voice(client);
        let capabilities = voice.map_or(Needs::all(), |voice| {
            // what is passed on as bytes reaches whoever the client wrote it for
            if voice.profile.dialect == client {
                voice.capabilities.with(Need::UnknownMembers)
            } else {
                // a call is translated to be kept by nobody: what asks for more than silence is refused when it is written
                voice.capabilities.without(Need::UnknownMembers).with(Need::Stores)
            }
        });
        let speechless = voice.is_none().then(|| client.name());
        speechless.into_iter().chain(needs.minus(capabilities).iter().map(Need::name))
    }
}
