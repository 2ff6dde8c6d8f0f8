//! Seals a stream.

use std::io::{Read, Write};

use age::{Encryptor, Recipient};

use crate::failure::{Exit, Failure, Outcome};

/// Bytes that are moved at once.
pub const CHUNK: usize = 64 * 1024;

/// Seals all of `input` to `recipients`. What was written is a whole age file only where this answers `Ok`.
pub fn seal(recipients: &[Box<dyn Recipient>], mut input: impl Read, output: impl Write) -> Outcome<()> {
    let encryptor = Encryptor::with_recipients(recipients.iter().map(AsRef::as_ref)).map_err(|error| {
        let hint = "Check the recipients.";
        Failure::new(Exit::Usage, "RECIPIENT", format!("It cannot be sealed: {error}."), hint)
    })?;
    let mut sealed = encryptor.wrap_output(output).map_err(|error| Failure::output(&error))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => sealed.write_all(&chunk[..read]).map_err(|error| Failure::output(&error))?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::input(&error)),
        }
    }
    let mut output = sealed.finish().map_err(|error| Failure::output(&error))?;
    output.flush().map_err(|error| Failure::output(&error))
}
