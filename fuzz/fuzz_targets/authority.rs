//! Certificates and revocations of authorities: what the registrar signed can be read, and nothing else holds.
#![no_main]

use postfach_domain::authority::{AuthorityCert, AuthorityRevocation, is_iban, is_name};
use postfach_domain::format::Signed;
use postfach_domain::pae::context;
use postfach_fuzz::{bounded, keys, seeds, target};
use prost::Message as _;

fn certificate(body: &[u8]) {
    let registrar = keys::key(9);
    let signed = registrar.sign_body(context::AUTHORITY_CERT, body.to_vec());
    let parsed = bounded(body.len(), 64, || AuthorityCert::parse(body));
    assert_eq!(AuthorityCert::verify(&signed, &registrar.public()), parsed);
    assert!(AuthorityCert::verify(&signed, &keys::key(8).public()).is_err());
    assert!(AuthorityRevocation::verify(&signed, &registrar.public()).is_err(), "a certificate that revokes");
    let Ok(cert) = parsed else { return };
    assert!(is_name(&cert.display_name) && cert.ibans.iter().all(|iban| is_iban(iban)));
    assert!(cert.not_after.is_none_or(|end| end >= cert.not_before));
    let again = cert.sign(registrar).expect("what was read can be signed");
    assert_eq!(AuthorityCert::verify(&again, &registrar.public()).as_ref(), Ok(&cert));
}

fn revocation(body: &[u8]) {
    let registrar = keys::key(9);
    let signed = registrar.sign_body(context::AUTHORITY_REVOKE, body.to_vec());
    let parsed = bounded(body.len(), 64, || AuthorityRevocation::parse(body));
    assert_eq!(AuthorityRevocation::verify(&signed, &registrar.public()), parsed);
    let Ok(revocation) = parsed else { return };
    let again = revocation.sign(registrar).expect("what was read can be signed");
    assert_eq!(AuthorityRevocation::verify(&again, &registrar.public()).as_ref(), Ok(&revocation));
}

/// Nobody but the vectors' maker has the key.
fn forged(data: &[u8]) {
    let (Ok(signed), registrar) = (Signed::decode(data), keys::key(9).public()) else { return };
    let holds = AuthorityCert::verify(&signed, &registrar).is_ok()
        || AuthorityRevocation::verify(&signed, &registrar).is_ok();
    assert!(!holds || bodies().contains(&signed.body), "nobody signed this");
}

fn bodies() -> Vec<Vec<u8>> {
    seeds::bytes(&seeds::json("authority"), &["body"])
}

fn start() -> Vec<Vec<u8>> {
    let contexts = [context::AUTHORITY_CERT, context::AUTHORITY_REVOKE];
    let signed =
        bodies().into_iter().zip(contexts).map(|(body, of)| keys::key(9).sign_body(of, body).encode_to_vec());
    bodies().into_iter().chain(signed).collect()
}

target!(seeds: start(), |data| {
    certificate(data);
    revocation(data);
    forged(data);
});
