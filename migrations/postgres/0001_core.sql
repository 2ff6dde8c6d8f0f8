-- The first form of the database. Add-only: a later change is a new file. The same tables as in migrations/sqlite, which
-- a test compares; text is compared byte by byte, as there.
-- Times are milliseconds since the Unix epoch. `no` of a mailbox or authority is the index of its first leaf in the keys
-- log, `no` of a message the index of its first event in the evidence log: assigned under the head lock, never reused.

-- One row for each log (0 keys, 1 evidence): size, root, newest instant used, newest signed checkpoint.
CREATE TABLE log_head (
    log        BIGINT PRIMARY KEY,
    size       BIGINT NOT NULL,
    root       BYTEA  NOT NULL,
    last_time  BIGINT NOT NULL,
    checkpoint BYTEA  NOT NULL
);

-- Hash tiles of C2SP tlog-tiles, the partial one of each level rewritten as it grows.
CREATE TABLE log_tile (
    log    BIGINT NOT NULL,
    level  BIGINT NOT NULL,
    idx    BIGINT NOT NULL,
    hashes BYTEA  NOT NULL,
    PRIMARY KEY (log, level, idx)
);

-- The 69 bytes of each leaf of the keys log. Leaves of the evidence log stand in `event`.
CREATE TABLE key_leaf (
    idx  BIGINT PRIMARY KEY,
    leaf BYTEA NOT NULL
);

CREATE TABLE mailbox (
    no           BIGINT PRIMARY KEY,
    address      BYTEA  NOT NULL UNIQUE,
    -- Set where it belongs to an authority.
    authority_no BIGINT,
    head_seq     BIGINT NOT NULL,
    head_hash    BYTEA  NOT NULL,
    generation   BIGINT NOT NULL,
    trust_level  BIGINT NOT NULL,
    -- Time of the newest consent act; the next one must be later.
    consent_time BIGINT,
    suspended_at BIGINT,
    closed_at    BIGINT
);

-- The newest consent act of a mailbox for one authority, or ('') for all: either granted or revoked. Of the two rows that
-- concern an authority, the newer one counts.
CREATE TABLE consent (
    mailbox_no   BIGINT NOT NULL,
    authority_id TEXT COLLATE "C" NOT NULL,
    granted_at   BIGINT,
    revoked_at   BIGINT,
    PRIMARY KEY (mailbox_no, authority_id)
);

-- Encoded Signed of each link.
CREATE TABLE link (
    mailbox_no BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    signed     BYTEA  NOT NULL,
    link_hash  BYTEA  NOT NULL,
    key_index  BIGINT NOT NULL,
    PRIMARY KEY (mailbox_no, seq)
);

-- Keys of each chain: role 1 device, 2 recovery. `removed_seq` is the link that ended it.
CREATE TABLE member (
    mailbox_no  BIGINT NOT NULL,
    key_id      BYTEA  NOT NULL,
    role        BIGINT NOT NULL,
    public      BYTEA  NOT NULL,
    added_seq   BIGINT NOT NULL,
    removed_seq BIGINT,
    PRIMARY KEY (mailbox_no, key_id)
);

-- Opaque seeds for members, never overwritten.
CREATE TABLE wrap (
    mailbox_no BIGINT NOT NULL,
    member     BYTEA  NOT NULL,
    link_seq   BIGINT NOT NULL,
    sealed     BYTEA  NOT NULL,
    PRIMARY KEY (mailbox_no, member, link_seq)
);

-- Newest signed SETTINGS act of each mailbox.
CREATE TABLE setting (
    mailbox_no BIGINT PRIMARY KEY,
    act_time   BIGINT NOT NULL,
    signed     BYTEA  NOT NULL
);

CREATE TABLE authority (
    no           BIGINT PRIMARY KEY,
    authority_id TEXT COLLATE "C" NOT NULL UNIQUE,
    mailbox_no   BIGINT NOT NULL
);

CREATE TABLE authority_key (
    key_id            BYTEA  PRIMARY KEY,
    authority_no      BIGINT NOT NULL,
    public            BYTEA  NOT NULL,
    -- Seat, eight digits; empty where unknown.
    ags               TEXT COLLATE "C" NOT NULL,
    not_before        BIGINT NOT NULL,
    -- 0: no end.
    not_after         BIGINT NOT NULL,
    certificate       BYTEA  NOT NULL,
    certificate_index BIGINT NOT NULL,
    revocation        BYTEA,
    revocation_index  BIGINT
);
CREATE INDEX authority_key_authority ON authority_key (authority_no, certificate_index);

-- Activation codes by H(code_id). The key checks proofs; it goes when the code is redeemed.
CREATE TABLE activation_code (
    code_hash      BYTEA  PRIMARY KEY,
    activation_key BYTEA,
    trust_level    BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    mailbox_no     BIGINT
);

-- What the rules need to know of a message; small, because every stage rewrites it.
CREATE TABLE message (
    no              BIGINT PRIMARY KEY,
    message_id      BYTEA  NOT NULL UNIQUE,
    sender_no       BIGINT NOT NULL,
    recipient_no    BIGINT NOT NULL,
    -- The three hashes, the regime and the lengths go when the message is erased.
    outer_hash      BYTEA,
    cover_hash      BYTEA,
    letter_hash     BYTEA,
    regime          BIGINT,
    pair_seq        BIGINT NOT NULL,
    -- `occurred_at` of the first event; `available_at` of ACCEPTED.
    accepted_at     BIGINT NOT NULL,
    available_at    BIGINT NOT NULL,
    -- Commitment of its newest event.
    last_commitment BYTEA  NOT NULL,
    -- Its events in order: u8 type and u64 index (big endian) each; type 0 once erased.
    events          BYTEA  NOT NULL,
    cover_length    BIGINT,
    letter_length   BIGINT
);

-- What was submitted, as it came. The letter stands last, so that lists of covers need not read over it.
CREATE TABLE content (
    message_no  BIGINT PRIMARY KEY,
    outer_bytes BYTEA NOT NULL,
    signature   BYTEA NOT NULL,
    sender_copy BYTEA,
    cover       BYTEA,
    letter      BYTEA
);

-- Leaves of the evidence log. Erased: salt, event, type and time are gone, the commitment stays.
CREATE TABLE event (
    idx          BIGINT PRIMARY KEY,
    commitment   BYTEA NOT NULL,
    salt         BYTEA,
    event        BYTEA,
    event_type   BIGINT,
    occurred_at  BIGINT,
    message_no   BIGINT,
    sender_no    BIGINT,
    recipient_no BIGINT
);
CREATE INDEX event_recipient ON event (recipient_no, idx);
CREATE INDEX event_sender ON event (sender_no, idx);

-- How many messages one sender had accepted for one recipient.
CREATE TABLE pair (
    sender_no    BIGINT NOT NULL,
    recipient_no BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    PRIMARY KEY (sender_no, recipient_no)
);

-- Acts by their idempotency key; `event_idx` is NULL for SETTINGS.
CREATE TABLE act (
    act_id    BYTEA  PRIMARY KEY,
    actor_no  BIGINT NOT NULL,
    body_hash BYTEA  NOT NULL,
    event_idx BIGINT
);

-- Attachment ciphertext; `blob` names it in the blob store.
CREATE TABLE attachment (
    blob          BYTEA  PRIMARY KEY,
    sender_no     BIGINT NOT NULL,
    attachment_id BYTEA  NOT NULL,
    ct_len        BIGINT NOT NULL,
    -- Set once committed.
    ct_root       BYTEA,
    expires_at    BIGINT NOT NULL,
    -- Messages that use it.
    refs          BIGINT NOT NULL,
    UNIQUE (sender_no, attachment_id)
);
CREATE INDEX attachment_expiry ON attachment (refs, expires_at);

CREATE TABLE segment (
    blob BYTEA  NOT NULL,
    idx  BIGINT NOT NULL,
    leaf BYTEA  NOT NULL,
    PRIMARY KEY (blob, idx)
);

CREATE TABLE message_attachment (
    message_no    BIGINT NOT NULL,
    attachment_id BYTEA  NOT NULL,
    blob          BYTEA  NOT NULL,
    PRIMARY KEY (message_no, attachment_id)
);

-- Blobs that no row names any more, until the blob store has deleted them.
CREATE TABLE garbage (
    blob BYTEA PRIMARY KEY
);

-- Sealed bytes do not get smaller: no try to compress them.
ALTER TABLE wrap ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE log_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE content ALTER COLUMN sender_copy SET STORAGE EXTERNAL;
ALTER TABLE content ALTER COLUMN cover SET STORAGE EXTERNAL;
ALTER TABLE content ALTER COLUMN letter SET STORAGE EXTERNAL;
