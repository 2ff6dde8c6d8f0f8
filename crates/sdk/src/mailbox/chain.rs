//! The owner's own chain: fetched, verified, remembered.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use postfach_domain::chain::Chain;
use postfach_domain::sign::PublicKey;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;

use super::Mailbox;
use crate::client::{MAX_ANSWER, Pace};
use crate::error::Error;
use crate::evidence::chain::ProvenChain;

impl Mailbox {
    /// The owner's chain as last seen.
    pub fn chain(&self) -> Chain {
        self.own_chain().chain.clone()
    }

    /// Fetches the own chain with the service's statement about its head. A chain that is not the one seen before is
    /// an evidence error.
    pub async fn refresh_chain(&self) -> Result<(), Error> {
        let answer = self
            .client
            .call(Pace::Normal, v1::GetChainRequest {}, |channel, request| async move {
                MailboxServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .get_chain(request)
                    .await
            })
            .await?;
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        let proven = self.client.verify_chain(&self.keys.address, answer.chain.as_ref(), &seen)?;
        let logged = answer.chain.as_ref().ok_or_else(|| Error::answer("no chain"))?;
        self.client.verify_head(&proven, logged, answer.head.as_ref(), &seen)?;
        self.remember_chain(proven);
        self.chain_is_fresh.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn is_chain_old(&self) -> bool {
        !self.chain_is_fresh.load(Ordering::Relaxed)
    }

    fn remember_chain(&self, proven: ProvenChain) {
        self.client.with_trust(|trust| trust.own_chain = Some(proven.to_stored()));
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(proven);
    }

    /// A device of ours by its key id, active at the head that an act names.
    pub(super) fn own_key(&self, act: &postfach_domain::act::Act) -> Option<PublicKey> {
        let own = self.own_chain();
        let head = act.actor_head.filter(|head| own.chain.contains(head))?;
        own.chain.active_key_at(&act.signer, head.seq).copied()
    }
}
