//! Whom to seal for, and who an authority is: chains of mailboxes and certificates, verified.

use postfach_domain::head::RecipientHead;
use postfach_domain::id::{Address, AuthorityId};
use postfach_envelope::hybrid::HybridRecipient;
use postfach_proto::v1;
use postfach_proto::v1::directory_service_client::DirectoryServiceClient;

use crate::client::{Client, MAX_ANSWER, Pace};
use crate::error::{Error, EvidenceFault};
use crate::evidence::CertifiedKey;

/// A mailbox that may be written to, its whole chain verified against its address.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recipient {
    /// Whose mailbox.
    pub address: Address,
    /// The newest link and generation.
    pub head: RecipientHead,
    /// The key of that generation.
    pub key: HybridRecipient,
    /// False: to be written to on paper.
    pub accepts: bool,
}

impl Client {
    /// Resolves an address: whole chain, head statement and pin checked. Needs a caller.
    pub async fn resolve(&self, address: Address) -> Result<Recipient, Error> {
        let request = v1::ResolveRecipientRequest { address: address.to_vec() };
        let answer = self
            .call(Pace::Normal, request, |channel, request| async move {
                DirectoryServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .resolve_recipient(request)
                    .await
            })
            .await?;
        let seen = self.observe(answer.checkpoints.as_ref())?;
        let proven = self.verify_chain(&address, answer.chain.as_ref(), &seen)?;
        let logged = answer.chain.as_ref().ok_or_else(|| Error::answer("no chain"))?;
        self.verify_head(&proven, logged, answer.head.as_ref(), &seen)?;
        self.settle().await?;
        let newest = proven.chain.generation();
        let key = HybridRecipient::from_bytes(&newest.recipient)
            .map_err(|e| Error::evidence(EvidenceFault::Chain(e.to_string())))?;
        let head = RecipientHead { head: proven.chain.head(), generation: newest.generation };
        let accepts = answer.accepts && !proven.chain.is_closed();
        Ok(Recipient { address, head, key, accepts })
    }

    /// All keys of an authority, each certified by the registrar. Needs a caller.
    pub async fn authority(&self, id: &AuthorityId) -> Result<Vec<CertifiedKey>, Error> {
        let request = v1::GetAuthorityRequest { authority_id: id.to_string() };
        let answer = self
            .call(Pace::Normal, request, |channel, request| async move {
                DirectoryServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .get_authority(request)
                    .await
            })
            .await?;
        let seen = self.observe(answer.checkpoints.as_ref())?;
        let keys: Vec<_> =
            answer.keys.iter().map(|key| self.verify_authority_key(key, &seen)).collect::<Result<_, _>>()?;
        if keys.iter().any(|key| key.certificate.authority_id != *id) {
            return Err(Error::evidence(EvidenceFault::Certificate("it is of another authority".to_owned())));
        }
        self.settle().await?;
        Ok(keys)
    }
}
