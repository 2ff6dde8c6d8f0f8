//! Authorities, their certified keys and revocations, against the registrar's root of the service card.

use std::collections::BTreeMap;

use postfach_domain::authority::{AuthorityCert, AuthorityRevocation, cert_hash, revocation_hash};
use postfach_domain::format::Signed;
use postfach_domain::id::KeyId;
use postfach_domain::keylog::{KeyLeaf, cert_leaf, revocation_leaf};
use postfach_domain::sign::signature_of;
use postfach_domain::time::Timestamp;

use super::chain::canonical;
use super::facts::{AuthorityFacts, AuthorityKeyFacts, Context, Keys};
use super::problem::{Checked, bad, bad_at, hold};
use super::report::Counts;
use crate::storage::Query;
use crate::storage::audit::{AUTHORITY, AUTHORITY_KEY, Pager, Record};

/// Checks both tables; adds what they come to and the leaves that they demand.
pub async fn check(
    query: &mut dyn Query,
    context: &Context,
    keys: &mut Keys,
    leaves: &mut Vec<(u64, KeyLeaf)>,
    counts: &mut Counts,
) -> Checked<()> {
    let mut pager = Pager::new(&AUTHORITY, 1024);
    loop {
        let page = pager.next(query).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            check_authority(row, keys)?;
            counts.authorities += 1;
        }
    }
    for mailbox in &keys.mailboxes {
        let belongs = |no| keys.authorities.get(&no).is_some_and(|a| a.mailbox_no == mailbox.no);
        if !mailbox.authority_no.is_none_or(belongs) {
            let row = format!("no={}", mailbox.no);
            return Err(bad_at("mailbox", row, "authority_no names no authority with this mailbox"));
        }
    }
    // The first certificate of each authority gives it its number.
    let mut first: BTreeMap<u64, u64> = BTreeMap::new();
    let mut pager = Pager::new(&AUTHORITY_KEY, 256);
    loop {
        let page = pager.next(query).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            let key = check_key(context, row, keys, leaves, counts)?;
            let lowest = first.entry(key.authority_no).or_insert(key.certificate_index);
            *lowest = (*lowest).min(key.certificate_index);
        }
    }
    for no in keys.authorities.keys() {
        if first.get(no) != Some(no) {
            let what = "the number is not the index of the authority's first certificate";
            return Err(bad_at("authority", format!("no={no}"), what));
        }
    }
    Ok(())
}

fn check_authority(mut row: Record, keys: &mut Keys) -> Checked<()> {
    let no = row.unsigned()?;
    let id = row.text()?.parse().map_err(|_| bad(&row, "authority_id is malformed"))?;
    let mailbox_no = row.unsigned()?;
    let mailbox = keys.mailbox(mailbox_no).ok_or_else(|| bad(&row, "mailbox_no names no mailbox"))?;
    hold(&row, mailbox.authority_no == Some(no), "the mailbox belongs to somebody else")?;
    keys.authorities.insert(no, AuthorityFacts { id, mailbox_no });
    Ok(())
}

fn check_key(
    context: &Context,
    mut row: Record,
    keys: &mut Keys,
    leaves: &mut Vec<(u64, KeyLeaf)>,
    counts: &mut Counts,
) -> Checked<AuthorityKeyFacts> {
    let key_id = KeyId(row.array()?);
    let authority_no = row.unsigned()?;
    let public: [u8; 32] = row.array()?;
    let ags = row.text()?;
    let (not_before, not_after) = (Timestamp(row.unsigned()?), Timestamp(row.unsigned()?));
    let signed = statement(&mut row)?.ok_or_else(|| bad(&row, "the certificate is missing"))?;
    let certificate = certificate(context, &row, &signed)?;
    let authority = keys.authorities.get(&authority_no);
    let authority = authority.ok_or_else(|| bad(&row, "authority_no names no authority"))?;
    let mailbox = keys.mailbox(authority.mailbox_no).map(|mailbox| mailbox.address);
    hold(&row, certificate.key_id() == key_id, "key_id is not that of the certified key")?;
    hold(&row, certificate.sign_pub.to_bytes() == public, "public is not the certified key")?;
    hold(&row, certificate.authority_id == authority.id, "the certificate names another authority")?;
    hold(&row, Some(certificate.mailbox) == mailbox, "the certificate names another mailbox")?;
    hold(&row, certificate.ags.as_deref().unwrap_or_default() == ags, "ags is not that of the certificate")?;
    let window = (certificate.not_before, certificate.not_after.unwrap_or_default());
    hold(&row, window == (not_before, not_after), "the times are not those of the certificate")?;
    let certificate_index = row.unsigned()?;
    leaves.push((certificate_index, cert_leaf(&key_id, &cert_hash(&signed))));
    counts.certificates += 1;

    let revocation = statement(&mut row)?;
    let revocation_index = row.opt_unsigned()?;
    match (&revocation, revocation_index) {
        (None, None) => {}
        (Some(signed), Some(index)) => {
            let named = revocation_of(context, &row, signed)?;
            let fits = named.key_id == key_id && named.authority_id == authority.id;
            hold(&row, fits, "the revocation names another key")?;
            hold(&row, index > certificate_index, "the revocation stands before the certificate")?;
            leaves.push((index, revocation_leaf(&key_id, &revocation_hash(signed))));
            counts.revocations += 1;
        }
        _ => return Err(bad(&row, "revocation and revocation_index do not fit together")),
    }
    counts.signatures += u64::from(context.signatures) * (1 + u64::from(revocation.is_some()));
    let facts = AuthorityKeyFacts {
        authority_no,
        public: certificate.sign_pub,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        certificate_index,
        revocation_index,
    };
    keys.authority_keys.insert(key_id, facts.clone());
    Ok(facts)
}

/// A signed column, or NULL.
fn statement(row: &mut Record) -> Checked<Option<Signed>> {
    let Some(bytes) = row.opt_blob()? else { return Ok(None) };
    canonical(&bytes).map(Some).ok_or_else(|| bad(row, "a signed statement is not well formed"))
}

fn certificate(context: &Context, row: &Record, signed: &Signed) -> Checked<AuthorityCert> {
    check_registrar(context, row, signed)?;
    let parsed = if context.signatures {
        AuthorityCert::verify(signed, &context.registrar)
    } else {
        AuthorityCert::parse(&signed.body)
    };
    let certificate = parsed.map_err(|error| bad(row, error))?;
    hold(row, certificate.origin == context.origin, "the certificate belongs to another deployment")?;
    Ok(certificate)
}

fn revocation_of(context: &Context, row: &Record, signed: &Signed) -> Checked<AuthorityRevocation> {
    check_registrar(context, row, signed)?;
    let parsed = if context.signatures {
        AuthorityRevocation::verify(signed, &context.registrar)
    } else {
        AuthorityRevocation::parse(&signed.body)
    };
    let revocation = parsed.map_err(|error| bad(row, error))?;
    hold(row, revocation.origin == context.origin, "the revocation belongs to another deployment")?;
    Ok(revocation)
}

/// The signature names the registrar; cheap enough for `--quick`.
fn check_registrar(context: &Context, row: &Record, signed: &Signed) -> Checked<()> {
    let signature = signature_of(signed).map_err(|error| bad(row, error))?;
    let named = signature.key_id == context.registrar.key_id().as_bytes();
    hold(row, named, "the statement is not signed by the registrar")
}
