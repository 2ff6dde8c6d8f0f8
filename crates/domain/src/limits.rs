//! The one table of limits: what the service refuses because of its size, number or age. Not here: rules of the chain
//! other than its length, and what an operator may configure.

/// What a limit counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things: attachments, rows of a page, uploads.
    Items,
    /// Seconds.
    Seconds,
    /// Unicode scalar values.
    Characters,
    /// Links of a key chain.
    Links,
    /// Streams of one connection.
    Streams,
}

impl Unit {
    /// The name that GetServerInfo uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Items => "items",
            Self::Seconds => "seconds",
            Self::Characters => "characters",
            Self::Links => "links",
            Self::Streams => "streams",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Stable name, for example `letter_bytes`.
    pub name: &'static str,
    /// The largest value that is allowed, in `unit`.
    pub value: u64,
    /// What `value` counts.
    pub unit: Unit,
    /// The stable reason of the error where the limit is passed; empty where the transport ends the call itself.
    pub reason: &'static str,
    /// One sentence for the documentation.
    pub meaning: &'static str,
}

macro_rules! limits {
    ($($constant:ident : $ty:ty = $value:expr, $name:literal, $unit:ident, $reason:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $constant: $ty = $value;)*

        /// Every limit, in the order of the documentation.
        pub const TABLE: &[Limit] = &[
            $(Limit {
                name: $name,
                value: $constant as u64,
                unit: Unit::$unit,
                reason: $reason,
                meaning: $meaning,
            },)*
        ];
    };
}

limits! {
    TOKEN_LIFE_SECONDS: u64 = 300, "token_life_seconds", Seconds, "TOKEN_LIFE_TOO_LONG",
        "From `iat` to `exp` of a caller's token.";
    TOKEN_SKEW_SECONDS: u64 = 300, "token_skew_seconds", Seconds, "TOKEN_TIME_OFF",
        "How far the caller's clock may be off, for tokens, acts and links.";
    MESSAGE_LEN: usize = 4 * 1024 * 1024, "call_bytes", Bytes, "MESSAGE_TOO_LARGE",
        "One gRPC message, except segment calls.";
    SEGMENT_CALL_LEN: usize = 4 * 1024 * 1024 + 64 * 1024, "segment_call_bytes", Bytes, "MESSAGE_TOO_LARGE",
        "One gRPC message that carries a segment.";
    COVER_LEN: usize = 64 * 1024, "cover_bytes", Bytes, "COVER_TOO_LARGE",
        "A signed cover before padding.";
    COVER_ENVELOPE_LEN: usize = 80 * 1024, "cover_envelope_bytes", Bytes, "COVER_TOO_LARGE",
        "A sealed cover as transported.";
    SUBJECT_CHARS: usize = 1024, "subject_characters", Characters, "SUBJECT_TOO_LONG",
        "The subject in a cover.";
    LETTER_LEN: usize = 1024 * 1024, "letter_bytes", Bytes, "LETTER_TOO_LARGE",
        "A signed letter before padding.";
    LETTER_ENVELOPE_LEN: usize = 1024 * 1024 + 192 * 1024, "letter_envelope_bytes", Bytes, "LETTER_TOO_LARGE",
        "A sealed letter as transported.";
    OUTER_LEN: usize = 32 * 1024, "outer_bytes", Bytes, "OUTER_TOO_LARGE",
        "An outer header as transported.";
    SENDER_COPY_LEN: usize = 16 * 1024, "sender_copy_bytes", Bytes, "SENDER_COPY_TOO_LARGE",
        "The sender's own copy of the two file keys.";
    ACT_LEN: usize = 32 * 1024, "act_bytes", Bytes, "ACT_TOO_LARGE",
        "The body of a signed act.";
    ACT_DETAILS_LEN: usize = 16 * 1024, "act_details_bytes", Bytes, "ACT_TOO_LARGE",
        "The details of an act.";
    ATTACHMENTS: usize = 100, "attachments", Items, "TOO_MANY_ATTACHMENTS",
        "Attachments of one message.";
    ATTACHMENT_LEN: u64 = 64 * 1024 * 1024 * 1024, "attachment_bytes", Bytes, "ATTACHMENT_TOO_LARGE",
        "One attachment as the sender wrote it.";
    ATTACHMENT_CT_LEN: u64 = 64 * 1024 * 1024 * 1024 + 17 * 1024 * 1024, "attachment_ciphertext_bytes", Bytes,
        "ATTACHMENT_TOO_LARGE", "One sealed attachment: header, and 16 bytes for each 64 KiB.";
    NAME_LEN: usize = 255, "attachment_name_bytes", Bytes, "ATTACHMENT_NAME_TOO_LONG",
        "The name of an attachment.";
    OPEN_UPLOADS: usize = 64, "open_uploads", Items, "TOO_MANY_UPLOADS",
        "Uploads of one sender that are not yet committed.";
    UPLOAD_LIFE_SECONDS: u64 = 24 * 3600, "upload_life_seconds", Seconds, "UPLOAD_EXPIRED",
        "How long an attachment that no message names is kept.";
    PAGE_DEFAULT: usize = 100, "page_default", Items, "",
        "Rows of a page where the caller names no size.";
    PAGE_MAX: usize = 500, "page_max", Items, "PAGE_TOO_LARGE",
        "Rows of a page.";
    PAGE_LEN: usize = 3 * 1024 * 1024 + 512 * 1024, "page_bytes", Bytes, "",
        "Bytes of a page; it ends early rather than pass this.";
    BATCH_MAX: usize = 100, "batch_items", Items, "BATCH_TOO_LARGE",
        "Submissions of one DeliverBatch.";
    BATCH_LEN: usize = 3 * 1024 * 1024 + 512 * 1024, "batch_bytes", Bytes, "BATCH_TOO_LARGE",
        "Bytes of one DeliverBatch.";
    CHAIN_LINKS: usize = 1000, "chain_links", Links, "CHAIN_FULL",
        "Links of one key chain; the last 32 are for the recovery key alone.";
    LINK_LEN: usize = 16 * 1024, "link_bytes", Bytes, "LINK_TOO_LARGE",
        "The body of one link.";
    DEVICES: usize = 16, "devices", Items, "TOO_MANY_DEVICES",
        "Active devices of one mailbox.";
    DEVICE_NAME_LEN: usize = 4 * 1024, "device_name_bytes", Bytes, "LINK_INVALID",
        "The sealed name of a device.";
    WRAP_LEN: usize = 64 * 1024, "wrap_bytes", Bytes, "WRAP_TOO_LARGE",
        "The sealed mailbox seeds for one member.";
    ACTIVATION_CODE_LIFE_SECONDS: u64 = 30 * 24 * 3600, "activation_code_life_seconds", Seconds, "CODE_EXPIRED",
        "How long an activation code can be redeemed.";
    HANDSHAKE_SECONDS: u64 = 10, "handshake_seconds", Seconds, "",
        "How long a TLS handshake may take, and then the preface of HTTP/2 or as many bytes of HTTP/1.1.";
    STREAMS: u32 = 256, "connection_streams", Streams, "",
        "Concurrent streams of one connection.";
    WRONG_STREAMS: usize = 256, "wrong_streams", Streams, "",
        "Streams of one connection that the server resets for a fault of the caller; the connection ends with the next.";
    HEADER_LIST_LEN: u32 = 16 * 1024, "header_list_bytes", Bytes, "",
        "Request headers of one call.";
    WATCH_STREAMS: usize = 64, "watch_streams", Items, "TOO_MANY_WATCHES",
        "Open streams of news for one mailbox, or for one sender.";
    READ_STREAMS: usize = 16, "read_streams", Items, "TOO_MANY_READERS",
        "Attachments that one caller reads at once.";
    HEARTBEAT_SECONDS: u64 = 15, "heartbeat_seconds", Seconds, "",
        "A stream of news shows at this interval that it lives.";
    DEADLINE_SECONDS: u64 = 30, "default_deadline_seconds", Seconds, "",
        "The deadline of a call that names none.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_stable_in_form() {
        for (i, limit) in TABLE.iter().enumerate() {
            assert!(limit.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", limit.name);
            assert!(TABLE[..i].iter().all(|other| other.name != limit.name), "{} twice", limit.name);
            assert!(limit.value > 0);
        }
    }

    #[test]
    fn the_values_are_the_documented_ones() {
        let value = |name: &str| TABLE.iter().find(|limit| limit.name == name).map(|limit| limit.value);
        assert_eq!(value("letter_bytes"), Some(1 << 20));
        assert_eq!(value("cover_bytes"), Some(65_536));
        assert_eq!(value("attachment_bytes"), Some(1 << 36));
        assert_eq!(value("page_bytes"), Some(3_670_016));
        assert_eq!(value("activation_code_life_seconds"), Some(2_592_000));
    }
}
