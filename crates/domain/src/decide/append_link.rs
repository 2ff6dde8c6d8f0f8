//! May this link follow in its chain, and did its wraps come along? (SPEC 2.)

use super::Refusal;
use crate::chain::{AppliedLink, Chain, Link, LinkError, check_link_time, link_hash};
use crate::format;
use crate::id::KeyId;
use crate::time::Timestamp;

/// The decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Appended {
    /// Store the link and its wraps, and log its key leaf.
    Append {
        /// The chain with the link in it.
        chain: Box<Chain>,
        /// What the link changed.
        applied: AppliedLink,
    },
    /// The same link stands: give the same answer.
    Again,
}

/// Decides on the next link of a chain. `wraps` are the members for whom wraps came in the same call. Signatures are
/// checked here too: two for each link, and links are rare.
pub fn decide_append_link(
    chain: &Chain,
    signed: &format::Signed,
    wraps: &[KeyId],
    now: Timestamp,
) -> Result<Appended, Refusal> {
    let link = Link::parse(&signed.body).map_err(|rule| Refusal::LinkInvalid { rule })?;
    if chain.link_hash_at(link.seq) == Some(link_hash(signed)) {
        return Ok(Appended::Again);
    }
    let mut next = chain.clone();
    let applied = next.append(signed).map_err(|rule| refusal(rule, chain))?;
    check_link_time(&link, now).map_err(|_| Refusal::ActTimeOff { server_time: now })?;
    check_wraps(&next, &applied, wraps)?;
    Ok(Appended::Append { chain: Box::new(next), applied })
}

/// With a link that adds a member or a generation come wraps for every active device and the recovery key, once each;
/// with other links come none. For GENESIS too.
pub fn check_wraps(chain: &Chain, applied: &AppliedLink, wraps: &[KeyId]) -> Result<(), Refusal> {
    let repeated = (1..wraps.len()).any(|i| wraps[..i].contains(&wraps[i]));
    let expected: Vec<KeyId> =
        if applied.needs_wraps() { chain.wrap_members().map(|m| m.key_id).collect() } else { Vec::new() };
    let complete = wraps.len() == expected.len() && expected.iter().all(|member| wraps.contains(member));
    if complete && !repeated { Ok(()) } else { Err(Refusal::WrapsIncomplete) }
}

fn refusal(rule: LinkError, chain: &Chain) -> Refusal {
    match rule {
        LinkError::Seq { .. } | LinkError::PrevHash => Refusal::LinkConflict { head: chain.head() },
        LinkError::SignerNotActive => Refusal::KeyNotActive,
        LinkError::Closed => Refusal::MailboxClosed,
        rule => Refusal::LinkInvalid { rule },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::{AGE_RECIPIENT_LEN, GenesisParts, LinkBuilder, make_genesis};
    use crate::sign::SecretKey;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn chain() -> (Chain, AppliedLink, SecretKey, SecretKey) {
        let (device, recovery) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let origin = "post.example".parse().unwrap();
        let genesis = make_genesis(GenesisParts {
            origin: &origin,
            device_key: &device,
            device_recipient: vec![1; AGE_RECIPIENT_LEN],
            device_name_sealed: Vec::new(),
            mailbox_recipient: vec![2; AGE_RECIPIENT_LEN],
            recovery_key: &recovery,
            recovery_recipient: vec![3; AGE_RECIPIENT_LEN],
            time: NOW,
            nonce: [0; 32],
        });
        let (chain, applied) = Chain::genesis(&origin, &genesis).unwrap();
        (chain, applied, device, recovery)
    }

    #[test]
    fn a_link_is_appended_once_and_with_all_its_wraps() {
        let (before, opened, device, recovery) = chain();
        let members = [device.key_id(), recovery.key_id()];
        assert_eq!(check_wraps(&before, &opened, &members), Ok(()));
        let link =
            LinkBuilder::new(&before, &device, NOW, [1; 32]).rotate_mailbox(vec![4; AGE_RECIPIENT_LEN]);
        let twice = [members[0], members[0]];
        let stranger = [members[0], KeyId([9; 32])];
        for wraps in [&[][..], &members[..1], &twice, &stranger] {
            assert_eq!(decide_append_link(&before, &link, wraps, NOW), Err(Refusal::WrapsIncomplete));
        }
        let decision = decide_append_link(&before, &link, &members, NOW).unwrap();
        let Appended::Append { chain: after, applied } = decision else { panic!("not appended") };
        assert_eq!((after.head(), applied.generation), (applied.head, Some(1)));
        assert_eq!(decide_append_link(&after, &link, &members, NOW), Ok(Appended::Again));
        // Another link for the same place.
        let rival =
            LinkBuilder::new(&before, &device, NOW, [2; 32]).rotate_mailbox(vec![4; AGE_RECIPIENT_LEN]);
        let conflict = Err(Refusal::LinkConflict { head: after.head() });
        assert_eq!(decide_append_link(&after, &rival, &members, NOW), conflict);
    }

    #[test]
    fn refusals_say_what_the_caller_can_do() {
        let (chain, _, device, recovery) = chain();
        let members = [device.key_id(), recovery.key_id()];
        let decide = |link: &format::Signed, now| decide_append_link(&chain, link, &members, now);
        let link = LinkBuilder::new(&chain, &device, NOW, [1; 32]).rotate_mailbox(vec![4; AGE_RECIPIENT_LEN]);
        let late = NOW.plus_ms(300_001);
        assert_eq!(decide(&link, late), Err(Refusal::ActTimeOff { server_time: late }));
        let stranger = SecretKey::from_seed(&[3; 32]);
        let link =
            LinkBuilder::new(&chain, &stranger, NOW, [1; 32]).rotate_mailbox(vec![4; AGE_RECIPIENT_LEN]);
        assert_eq!(decide(&link, NOW), Err(Refusal::KeyNotActive));
        let link = LinkBuilder::new(&chain, &device, NOW, [1; 32]).close(None);
        assert_eq!(decide(&link, NOW), Err(Refusal::LinkInvalid { rule: LinkError::RecoveryOnly }));
        let link = LinkBuilder::new(&chain, &recovery, NOW, [1; 32]).close(None);
        assert_eq!(decide(&link, NOW), Err(Refusal::WrapsIncomplete));
        let Ok(Appended::Append { chain: closed, .. }) = decide_append_link(&chain, &link, &[], NOW) else {
            panic!("not appended")
        };
        let link =
            LinkBuilder::new(&closed, &recovery, NOW, [1; 32]).rotate_mailbox(vec![4; AGE_RECIPIENT_LEN]);
        assert_eq!(decide_append_link(&closed, &link, &members, NOW), Err(Refusal::MailboxClosed));
    }
}
