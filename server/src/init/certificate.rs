//! TLS certificates of a deployment's own: a root that the service card carries, and the server's leaf under it.
//! No files.

use jiff::civil::Date;
use postfach_domain::id::Origin;
use postfach_domain::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use zeroize::Zeroizing;

const ROOT_YEARS: i16 = 20;
const LEAF_YEARS: i16 = 3;

/// A new root and the first leaf under it, all PEM.
pub struct Issued {
    /// For the service card: what clients check the leaf against.
    pub root_cert: String,
    /// Signs later leaves; the server does not need it to serve.
    pub root_key: Zeroizing<String>,
    /// The server's certificate.
    pub leaf_cert: String,
    /// The server's key.
    pub leaf_key: Zeroizing<String>,
}

/// Makes a root for the origin and a leaf for `names` (host names or IP addresses; the origin comes first).
pub fn issue(origin: &Origin, names: &[String], now: Timestamp) -> Result<Issued, rcgen::Error> {
    let root_key = KeyPair::generate()?;
    let root = root_params(origin, now);
    let root_cert = root.self_signed(&root_key)?.pem();
    let root_key_pem = Zeroizing::new(root_key.serialize_pem());
    let issuer = Issuer::new(root, root_key);

    let leaf_key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name = name(origin.as_str());
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.use_authority_key_identifier_extension = true;
    valid_for(&mut leaf, now, LEAF_YEARS);
    let leaf_cert = leaf.signed_by(&leaf_key, &issuer)?.pem();
    Ok(Issued {
        root_cert,
        root_key: root_key_pem,
        leaf_cert,
        leaf_key: Zeroizing::new(leaf_key.serialize_pem()),
    })
}

fn root_params(origin: &Origin, now: Timestamp) -> CertificateParams {
    let mut root = CertificateParams::default();
    root.distinguished_name = name(&format!("{origin} root"));
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut root, now, ROOT_YEARS);
    root
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// From the day before `now`, so that a client whose clock is behind is not refused.
fn valid_for(params: &mut CertificateParams, now: Timestamp, years: i16) {
    let instant = jiff::Timestamp::from_millisecond(now.as_i64()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let today = jiff::tz::Offset::UTC.to_datetime(instant).date();
    let yesterday = today.yesterday().unwrap_or(today);
    // The first of the month exists in every year.
    let last = Date::new(today.year().saturating_add(years), today.month(), 1).unwrap_or(Date::MAX);
    let at = |date: Date| {
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = at(yesterday);
    params.not_after = at(last);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn leap_day_and_addresses_are_fine() {
        let now = Timestamp::from_rfc3339("2028-02-29T12:00:00Z").unwrap();
        let names = ["post.example".to_owned(), "127.0.0.1".to_owned()];
        let issued = issue(&"post.example".parse().unwrap(), &names, now).unwrap();
        assert!(issued.root_cert.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_ne!(issued.root_cert, issued.leaf_cert);
    }
}
