//! Age files around any plaintext, for targets that try what stands inside. Sealing for a real key would cost a hundred times
//! as much as opening by the file's key, which is another way in for the same bytes.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::Write as _;

use age::secrecy::ExposeSecret as _;
use age::{EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};
use postfach_envelope::EnvelopeKey;

/// A recipient in form only. It keeps the file's key, and nobody else can open the file.
#[derive(Default)]
struct FormOnly(Cell<Option<[u8; 16]>>);

impl age::Recipient for FormOnly {
    fn wrap_file_key(&self, key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        self.0.set(Some(*key.expose_secret()));
        let stanza =
            Stanza { tag: "mlkem768x25519".to_owned(), args: vec!["AA".to_owned()], body: vec![0; 32] };
        Ok((vec![stanza], HashSet::new()))
    }
}

/// The file, which is another one each time, and its key.
pub fn seal(plain: &[u8]) -> (Vec<u8>, EnvelopeKey) {
    let recipient = FormOnly::default();
    let one: &dyn age::Recipient = &recipient;
    let mut file = Vec::with_capacity(plain.len() + 1024);
    let encryptor = Encryptor::with_recipients(std::iter::once(one)).expect("one recipient");
    let mut writer = encryptor.wrap_output(&mut file).expect("memory takes all");
    writer.write_all(plain).and_then(|()| writer.finish().map(drop)).expect("memory takes all");
    (file, EnvelopeKey::from_bytes(recipient.0.take().expect("age asked the recipient")))
}
