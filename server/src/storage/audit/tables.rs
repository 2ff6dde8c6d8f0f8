//! The tables and columns that the audit reads. Large opaque columns are read by their length alone.

use super::Table;

macro_rules! list {
    ($first:literal $(, $more:literal)* $(,)?) => { concat!($first $(, ", ", $more)*) };
}

macro_rules! table {
    (@bound $a:literal) => { concat!($a, " > $2") };
    (@bound $a:literal, $b:literal) => { concat!("(", $a, ", ", $b, ") > ($2, $3)") };
    (@bound $a:literal, $b:literal, $c:literal) => {
        concat!("(", $a, ", ", $b, ", ", $c, ") > ($2, $3, $4)")
    };
    (@one $a:literal) => { concat!($a, " = $1") };
    (@one $a:literal, $b:literal) => { concat!($a, " = $1 AND ", $b, " = $2") };
    (@one $a:literal, $b:literal, $c:literal) => {
        concat!($a, " = $1 AND ", $b, " = $2 AND ", $c, " = $3")
    };
    (@head $head:literal $($rest:literal)*) => { $head };
    ($(#[$doc:meta])* $constant:ident = $name:literal [$($key:literal),+] [$($column:literal),*]) => {
        $(#[$doc])*
        pub static $constant: Table = Table {
            name: $name,
            columns: &[$($key,)+ $($column,)*],
            keys: [$($key),+].len(),
            first: concat!("SELECT ", list!($($key,)+ $($column),*), " FROM ", $name, " ORDER BY ",
                           list!($($key),+), " LIMIT $1"),
            next: concat!("SELECT ", list!($($key,)+ $($column),*), " FROM ", $name, " WHERE ",
                          table!(@bound $($key),+), " ORDER BY ", list!($($key),+), " LIMIT $1"),
            range: concat!("SELECT ", list!($($key,)+ $($column),*), " FROM ", $name, " WHERE ",
                           table!(@head $($key)+), " >= $1 AND ", table!(@head $($key)+), " < $2 ORDER BY ",
                           list!($($key),+)),
            one: concat!("SELECT ", list!($($key,)+ $($column),*), " FROM ", $name, " WHERE ",
                         table!(@one $($key),+)),
            count: concat!("SELECT count(*) FROM ", $name),
        };
    };
}

table! {
    /// Heads of both logs.
    LOG_HEAD = "log_head" ["log"] ["size", "root", "last_time", "checkpoint"]
}
table! {
    /// Hash tiles of both logs.
    LOG_TILE = "log_tile" ["log", "level", "idx"] ["hashes"]
}
table! {
    /// Leaves of the keys log.
    KEY_LEAF = "key_leaf" ["idx"] ["leaf"]
}
table! {
    /// Mailboxes.
    MAILBOX = "mailbox" ["no"]
    ["address", "authority_no", "head_seq", "head_hash", "generation", "trust_level", "consent_time", "suspended_at",
     "closed_at"]
}
table! {
    /// Consents.
    CONSENT = "consent" ["mailbox_no", "authority_id"] ["granted_at", "revoked_at"]
}
table! {
    /// Links of all chains.
    LINK = "link" ["mailbox_no", "seq"] ["signed", "link_hash", "key_index"]
}
table! {
    /// Keys of all chains.
    MEMBER = "member" ["mailbox_no", "key_id"] ["role", "public", "added_seq", "removed_seq"]
}
table! {
    /// Sealed seeds, by their length.
    WRAP = "wrap" ["mailbox_no", "member", "link_seq"] ["length(sealed)"]
}
table! {
    /// Signed settings.
    SETTING = "setting" ["mailbox_no"] ["act_time", "signed"]
}
table! {
    /// Authorities.
    AUTHORITY = "authority" ["no"] ["authority_id", "mailbox_no"]
}
table! {
    /// Certified keys.
    AUTHORITY_KEY = "authority_key" ["key_id"]
    ["authority_no", "public", "ags", "not_before", "not_after", "certificate", "certificate_index", "revocation",
     "revocation_index"]
}
table! {
    /// Activation codes.
    ACTIVATION_CODE = "activation_code" ["code_hash"]
    ["activation_key", "trust_level", "expires_at", "mailbox_no"]
}
table! {
    /// Messages.
    MESSAGE = "message" ["no"]
    ["message_id", "sender_no", "recipient_no", "outer_hash", "cover_hash", "letter_hash", "regime", "pair_seq",
     "accepted_at", "available_at", "last_commitment", "events", "cover_length", "letter_length"]
}
table! {
    /// What was submitted.
    CONTENT = "content" ["message_no"] ["outer_bytes", "signature", "length(sender_copy)", "cover", "letter"]
}
table! {
    /// Events.
    EVENT = "event" ["idx"]
    ["commitment", "salt", "event", "event_type", "occurred_at", "message_no", "sender_no", "recipient_no"]
}
table! {
    /// Counters of pairs.
    PAIR = "pair" ["sender_no", "recipient_no"] ["seq"]
}
table! {
    /// Acts.
    ACT = "act" ["act_id"] ["actor_no", "body_hash", "event_idx"]
}
table! {
    /// Attachments.
    ATTACHMENT = "attachment" ["blob"] ["sender_no", "attachment_id", "ct_len", "ct_root", "expires_at", "refs"]
}
table! {
    /// Segments of attachments.
    SEGMENT = "segment" ["blob", "idx"] ["leaf"]
}
table! {
    /// Which message uses which attachment.
    MESSAGE_ATTACHMENT = "message_attachment" ["message_no", "attachment_id"] ["blob"]
}
table! {
    /// Blobs that wait for deletion.
    GARBAGE = "garbage" ["blob"] []
}

/// Which message uses which attachment, with what the attachment is: for ranges only.
pub static USED_ATTACHMENT: Table = Table {
    name: "message_attachment",
    columns: &["message_no", "attachment_id", "blob", "sender_no", "attachment_id", "ct_len", "ct_root"],
    keys: 2,
    range: "SELECT m.message_no, m.attachment_id, m.blob, a.sender_no, a.attachment_id, a.ct_len, a.ct_root
            FROM message_attachment AS m LEFT JOIN attachment AS a ON a.blob = m.blob
            WHERE m.message_no >= $1 AND m.message_no < $2 ORDER BY m.message_no, m.attachment_id",
    ..MESSAGE_ATTACHMENT
};

/// Every table; a test compares them with the schema.
pub static ALL: &[&Table] = &[
    &LOG_HEAD,
    &LOG_TILE,
    &KEY_LEAF,
    &MAILBOX,
    &CONSENT,
    &LINK,
    &MEMBER,
    &WRAP,
    &SETTING,
    &AUTHORITY,
    &AUTHORITY_KEY,
    &ACTIVATION_CODE,
    &MESSAGE,
    &CONTENT,
    &EVENT,
    &PAIR,
    &ACT,
    &ATTACHMENT,
    &SEGMENT,
    &MESSAGE_ATTACHMENT,
    &GARBAGE,
];

/// Bytes of the contents of messages `$1..$2`: how many to read at once. Lengths are found without reading what
/// overflows a page.
pub const CONTENT_LENGTHS: &str = "SELECT message_no,
    coalesce(length(outer_bytes), 0) + coalesce(length(cover), 0) + coalesce(length(letter), 0)
    FROM content WHERE message_no >= $1 AND message_no < $2 ORDER BY message_no";
