//! The codec of every call: protobuf, except for messages that are almost nothing but fields. In memory, an item of a list takes
//! up to a hundred times its two bytes on the wire; limits of items are checked only after that. No rules of calls.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::Message;
use prost::encoding::decode_varint;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// So many fields a message may have, however short they are.
const FREE_FIELDS: usize = 1024;
/// Beyond these, bytes of a message for each of its fields: a hash is longer.
const FIELD_LEN: usize = 32;

/// Protobuf both ways, dense messages only.
#[derive(Debug, Clone)]
pub struct DenseCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for DenseCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for DenseCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = DenseDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        DenseDecoder(ProstDecoder::default())
    }
}

/// Looks at a message before it takes memory for it.
#[derive(Debug, Clone)]
pub struct DenseDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default> Decoder for DenseDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // A message lies in one piece.
        if !is_dense(buf.chunk()) {
            return Err(Status::internal("too many fields for so few bytes"));
        }
        self.0.decode(buf)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// True where a message has at most [`FREE_FIELDS`] fields, or at least [`FIELD_LEN`] bytes for each further one. Fields of
/// fields are not counted, and what is no protobuf is dense: the decoder says what is wrong with it.
pub fn is_dense(message: &[u8]) -> bool {
    let most = FREE_FIELDS + message.len() / FIELD_LEN;
    let (mut rest, mut fields) = (message, 0);
    while let Some(after) = skip_field(rest) {
        rest = after;
        fields += 1;
        if fields > most {
            return false;
        }
    }
    true
}

/// What follows the first field; `None` at the end and where it is none.
fn skip_field(mut bytes: &[u8]) -> Option<&[u8]> {
    let key = decode_varint(&mut bytes).ok()?;
    let length = match key & 7 {
        0 => {
            decode_varint(&mut bytes).ok()?;
            0
        }
        1 => 8,
        2 => usize::try_from(decode_varint(&mut bytes).ok()?).ok()?,
        // Begin and end of a group, whose fields are counted too.
        3 | 4 => 0,
        5 => 4,
        _ => return None,
    };
    bytes.get(length..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn lists_of_nothing_are_not_dense() {
        let nothing = |items: usize| v1::DeliverBatchRequest {
            submissions: vec![v1::Submission::default(); items],
            validate_only: false,
        };
        assert!(is_dense(&nothing(FREE_FIELDS).encode_to_vec()));
        assert!(!is_dense(&nothing(2 * FREE_FIELDS).encode_to_vec()));
        let hashes = v1::ListSegmentHashesResponse {
            leaves: vec![vec![7; 32]; 20_000],
            ..v1::ListSegmentHashesResponse::default()
        };
        assert!(is_dense(&hashes.encode_to_vec()));
        // Every kind of field counts, groups too.
        for field in [&[8, 1][..], &[9, 0, 0, 0, 0, 0, 0, 0, 0], &[10, 0], &[11, 12], &[13, 0, 0, 0, 0]] {
            assert!(!is_dense(&field.repeat(2 * FREE_FIELDS)), "{field:?}");
        }
    }

    #[test]
    fn what_is_no_protobuf_is_left_to_the_decoder() {
        for bytes in [&[][..], &[0xff; 20], &[10, 200], &[15]] {
            assert!(is_dense(bytes), "{bytes:?}");
        }
    }
}
