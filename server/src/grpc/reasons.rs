//! The stable reasons of errors: which gRPC code each has, and what it says to a person, in English and German, as a
//! pair of what happened and what to do. docs/errors.md shows the same table.

use tonic::Code;

/// One reason.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// `ErrorInfo.reason`; never renamed.
    pub name: &'static str,
    /// The gRPC code it comes with.
    pub code: Code,
    /// What happened and what to do, English.
    pub en: &'static str,
    /// The same in German.
    pub de: &'static str,
}

macro_rules! reasons {
    ($($name:literal $code:ident $en:literal $de:literal;)*) => {
        &[$(Reason { name: $name, code: Code::$code, en: $en, de: $de },)*]
    };
}

/// Every reason that this server answers with.
pub const TABLE: &[Reason] = reasons! {
    // Tokens
    "TOKEN_MISSING" Unauthenticated
        "The call carries no token. Sign one with a registered key."
        "Der Aufruf trägt kein Token. Signieren Sie eines mit einem registrierten Schlüssel.";
    "TOKEN_MALFORMED" Unauthenticated
        "The token cannot be read. It must be a JWT signed with EdDSA, as the specification says."
        "Das Token ist nicht lesbar. Es muss ein mit EdDSA signiertes JWT nach der Spezifikation sein.";
    "TOKEN_WRONG_AUDIENCE" Unauthenticated
        "The token was made for another service. Make one for this service."
        "Das Token gilt für einen anderen Dienst. Erstellen Sie eines für diesen Dienst.";
    "TOKEN_LIFE_TOO_LONG" Unauthenticated
        "The token lives longer than 300 seconds. Make a shorter one."
        "Das Token gilt länger als 300 Sekunden. Erstellen Sie ein kürzeres.";
    "TOKEN_EXPIRED" Unauthenticated
        "The token has expired. Make a new one and check the clock."
        "Das Token ist abgelaufen. Erstellen Sie ein neues und prüfen Sie die Uhr.";
    "TOKEN_TIME_OFF" Unauthenticated
        "The token lies in the future. Check the clock."
        "Das Token liegt in der Zukunft. Prüfen Sie die Uhr.";
    "KEY_NOT_ACTIVE" Unauthenticated
        "This key is not active here. Register it, or use one that is."
        "Dieser Schlüssel ist hier nicht aktiv. Registrieren Sie ihn, oder nehmen Sie einen aktiven.";
    "TOKEN_WRONG_SIGNATURE" Unauthenticated
        "The token's signature is wrong. Make a new token with the right key."
        "Die Signatur des Tokens ist falsch. Erstellen Sie ein neues mit dem richtigen Schlüssel.";
    // Requests
    "INVALID_FIELD" InvalidArgument
        "A field of the request is wrong. Correct the field that is named."
        "Ein Feld der Anfrage ist falsch. Berichtigen Sie das genannte Feld.";
    "LIMIT_EXCEEDED" InvalidArgument
        "A limit is exceeded. Stay within the limits that the server lists."
        "Eine Grenze ist überschritten. Halten Sie die Grenzen ein, die der Server nennt.";
    "MESSAGE_TOO_LARGE" ResourceExhausted
        "The request is too large. Split it or send less."
        "Die Anfrage ist zu groß. Teilen Sie sie auf oder senden Sie weniger.";
    "UNIMPLEMENTED" Unimplemented
        "This server does not have that method. Compare the versions of client and server."
        "Diesen Aufruf kennt der Server nicht. Vergleichen Sie die Versionen von Programm und Server.";
    "BAD_REQUEST" InvalidArgument
        "The request cannot be read. Compare the versions of client and server."
        "Die Anfrage ist nicht lesbar. Vergleichen Sie die Versionen von Programm und Server.";
    "NOT_FOUND" NotFound
        "There is nothing under this name that you may see. Check the name."
        "Unter diesem Namen gibt es nichts, was Sie sehen dürfen. Prüfen Sie den Namen.";
    "NOT_ALLOWED" PermissionDenied
        "This key may not do that. Use another key of yours."
        "Dieser Schlüssel darf das nicht. Nehmen Sie einen anderen Ihrer Schlüssel.";
    // Rules (postfach_domain::decide)
    "MESSAGE_ID_REUSED" AlreadyExists
        "This message id stands for another message. Choose a new one."
        "Diese Nachrichtenkennung gehört zu einer anderen Nachricht. Wählen Sie eine neue.";
    "ACT_ID_REUSED" AlreadyExists
        "This act id stands for another act. Choose a new one."
        "Diese Kennung gehört zu einer anderen Erklärung. Wählen Sie eine neue.";
    "CHAIN_STALE" FailedPrecondition
        "Sealed for an old key of the recipient. Fetch the chain and seal again under the same id."
        "Für einen alten Schlüssel des Empfängers versiegelt. Holen Sie die Kette und versiegeln Sie unter derselben Kennung neu.";
    "HEAD_NOT_NEWEST" FailedPrecondition
        "Signed under an old state of the key chain. Fetch the chain and sign again."
        "Unter einem alten Stand der Schlüsselkette signiert. Holen Sie die Kette und signieren Sie neu.";
    "ACT_TIME_OFF" FailedPrecondition
        "The time of the act is more than five minutes off. Sign again with the server's time and check the clock."
        "Die Zeit der Erklärung weicht über fünf Minuten ab. Signieren Sie mit der Zeit des Servers neu und prüfen Sie die Uhr.";
    "RECIPIENT_NOT_AUTHORITY" PermissionDenied
        "Citizens write to authorities only. Choose an authority's mailbox."
        "Bürger schreiben nur an Behörden. Wählen Sie das Postfach einer Behörde.";
    "ATTACHMENT_NOT_READY" FailedPrecondition
        "An attachment is not there as the message names it. Upload and commit it first."
        "Eine Anlage liegt nicht so vor, wie die Nachricht sie nennt. Laden Sie sie zuerst vollständig hoch.";
    "NOT_YET_AVAILABLE" FailedPrecondition
        "The letter is not available yet. Wait until the time that the error names."
        "Der Brief ist noch nicht verfügbar. Warten Sie bis zu der genannten Zeit.";
    "NOT_HANDED_OVER" FailedPrecondition
        "The letter was not handed over yet. Read it first."
        "Der Brief wurde noch nicht abgerufen. Lesen Sie ihn zuerst.";
    "WITHDRAWN" FailedPrecondition
        "The sender took the message back. There is nothing left to do."
        "Der Absender hat die Nachricht zurückgenommen. Es ist nichts weiter zu tun.";
    "LAPSED" FailedPrecondition
        "The letter was not fetched in time. Ask the sender."
        "Der Brief wurde nicht rechtzeitig abgerufen. Fragen Sie den Absender.";
    "DELETED" FailedPrecondition
        "The recipient deleted the message. Send it again if it is needed."
        "Der Empfänger hat die Nachricht gelöscht. Senden Sie sie bei Bedarf neu.";
    "ERASED" FailedPrecondition
        "The content was erased. Its evidence stays."
        "Der Inhalt wurde gelöscht. Die Nachweise bleiben.";
    "WITHDRAW_TOO_LATE" FailedPrecondition
        "It was handed over, or its deemed day has come. Send a correction instead."
        "Sie wurde abgerufen, oder ihr Fiktionstag ist da. Senden Sie stattdessen eine Berichtigung.";
    "HASH_MISMATCH" InvalidArgument
        "The act's hashes are not those of the message. Fetch the message again and sign anew."
        "Die Prüfsummen der Erklärung sind nicht die der Nachricht. Holen Sie die Nachricht neu und signieren Sie neu.";
    "CONSENT_NOT_NEWER" FailedPrecondition
        "A newer consent stands already. Fetch it and sign again with a later time."
        "Es gilt schon eine neuere Einwilligung. Holen Sie sie und signieren Sie mit späterer Zeit neu.";
    "MAILBOX_CLOSED" FailedPrecondition
        "The mailbox is closed. Reach the recipient another way."
        "Das Postfach ist geschlossen. Erreichen Sie den Empfänger auf anderem Weg.";
    "CODE_UNKNOWN" NotFound
        "There is no such activation code. Check it, or ask for a new one."
        "Diesen Freischaltcode gibt es nicht. Prüfen Sie ihn, oder bitten Sie um einen neuen.";
    "CODE_EXPIRED" FailedPrecondition
        "The activation code has expired. Ask for a new one."
        "Der Freischaltcode ist abgelaufen. Bitten Sie um einen neuen.";
    "CODE_USED" AlreadyExists
        "The activation code was used for another mailbox. Ask for a new one."
        "Der Freischaltcode wurde für ein anderes Postfach benutzt. Bitten Sie um einen neuen.";
    "MAILBOX_EXISTS" AlreadyExists
        "This mailbox exists already. Use it, or make a new one."
        "Dieses Postfach gibt es schon. Benutzen Sie es, oder legen Sie ein neues an.";
    "LINK_CONFLICT" FailedPrecondition
        "The key chain has another link in this place. Fetch it and make a new link."
        "Die Schlüsselkette hat an dieser Stelle ein anderes Glied. Holen Sie sie und bilden Sie ein neues.";
    "LINK_INVALID" InvalidArgument
        "The link breaks a rule of the key chain. Fetch the chain and make a new link."
        "Das Glied verletzt eine Regel der Schlüsselkette. Holen Sie die Kette und bilden Sie ein neues.";
    "AUTHORITY_EXISTS" AlreadyExists
        "This authority exists. A request for a further key carries no new mailbox."
        "Diese Behörde gibt es schon. Ein Antrag für einen weiteren Schlüssel enthält kein neues Postfach.";
    "GENESIS_MISSING" InvalidArgument
        "The first key of an authority comes with its mailbox. Make the request with `postfach authority init`."
        "Der erste Schlüssel einer Behörde kommt mit ihrem Postfach. Erstellen Sie den Antrag mit `postfach authority init`.";
    "MAILBOX_MISMATCH" InvalidArgument
        "The certificate names another mailbox than the authority's. Make a new certificate."
        "Das Zertifikat nennt ein anderes Postfach als das der Behörde. Stellen Sie ein neues aus.";
    "KEY_ALREADY_CERTIFIED" AlreadyExists
        "This key has another certificate already. Make a new key."
        "Dieser Schlüssel hat schon ein anderes Zertifikat. Erzeugen Sie einen neuen.";
    "WRAPS_INCOMPLETE" InvalidArgument
        "A link that adds a member or a generation comes with the seeds for every member. Send them all."
        "Ein Glied, das ein Mitglied oder eine Generation hinzufügt, kommt mit den Schlüsseln für alle Mitglieder. Senden Sie alle.";
    // Limits (postfach_domain::limits)
    "ACT_TOO_LARGE" InvalidArgument
        "The act is too long. Shorten its reason and details."
        "Die Erklärung ist zu lang. Kürzen Sie Grund und Einzelheiten.";
    "ATTACHMENT_NAME_TOO_LONG" InvalidArgument
        "The name of an attachment is too long. Rename the file."
        "Der Name einer Anlage ist zu lang. Benennen Sie die Datei um.";
    "ATTACHMENT_TOO_LARGE" InvalidArgument
        "An attachment is too large. Split it."
        "Eine Anlage ist zu groß. Teilen Sie sie.";
    "BATCH_TOO_LARGE" InvalidArgument
        "The batch is too large. Split it."
        "Der Stapel ist zu groß. Teilen Sie ihn.";
    "CHAIN_FULL" FailedPrecondition
        "The key chain is full for this key. Use the recovery key."
        "Die Schlüsselkette ist für diesen Schlüssel voll. Nehmen Sie den Wiederherstellungsschlüssel.";
    "COVER_TOO_LARGE" InvalidArgument
        "The cover is too large. Shorten the subject or send fewer attachments."
        "Der Umschlag ist zu groß. Kürzen Sie den Betreff oder senden Sie weniger Anlagen.";
    "LETTER_TOO_LARGE" InvalidArgument
        "The letter is too large. Move part of it into an attachment."
        "Der Brief ist zu groß. Verschieben Sie einen Teil in eine Anlage.";
    "LINK_TOO_LARGE" InvalidArgument
        "The link is too large. Shorten the device's name."
        "Das Glied ist zu groß. Kürzen Sie den Namen des Geräts.";
    "OUTER_TOO_LARGE" InvalidArgument
        "The outer header is too large. Send fewer attachments."
        "Der äußere Kopf ist zu groß. Senden Sie weniger Anlagen.";
    "PAGE_TOO_LARGE" InvalidArgument
        "The page is too large. Ask for fewer rows."
        "Die Seite ist zu groß. Fordern Sie weniger Zeilen an.";
    "SENDER_COPY_TOO_LARGE" InvalidArgument
        "The sender's copy is too large. Leave it out or make it anew."
        "Die Absenderkopie ist zu groß. Lassen Sie sie weg, oder erstellen Sie sie neu.";
    "SUBJECT_TOO_LONG" InvalidArgument
        "The subject is too long. Shorten it."
        "Der Betreff ist zu lang. Kürzen Sie ihn.";
    "TOO_MANY_ATTACHMENTS" InvalidArgument
        "There are too many attachments. Put several into one file."
        "Es sind zu viele Anlagen. Fassen Sie mehrere in einer Datei zusammen.";
    "TOO_MANY_DEVICES" FailedPrecondition
        "The mailbox has as many devices as it can have. Revoke one first."
        "Das Postfach hat so viele Geräte, wie es haben kann. Widerrufen Sie erst eines.";
    "TOO_MANY_READERS" ResourceExhausted
        "Too many attachments are being read. Finish one first."
        "Zu viele Anlagen werden gerade geladen. Beenden Sie erst eine.";
    "TOO_MANY_UPLOADS" ResourceExhausted
        "Too many uploads are open. Finish one first."
        "Zu viele Übertragungen sind offen. Beenden Sie erst eine.";
    "TOO_MANY_WATCHES" ResourceExhausted
        "Too many streams of news are open. End one first."
        "Zu viele Nachrichtenströme sind offen. Beenden Sie erst einen.";
    "UPLOAD_EXPIRED" NotFound
        "The upload has expired. Start it again."
        "Die Übertragung ist abgelaufen. Beginnen Sie sie neu.";
    "WRAP_TOO_LARGE" InvalidArgument
        "The sealed seeds are too large. Make them anew."
        "Die versiegelten Schlüssel sind zu groß. Erstellen Sie sie neu.";
    // The server
    "UNAVAILABLE" Unavailable
        "The server cannot do it now. Try again shortly; nothing is lost or done twice."
        "Der Server kann das gerade nicht. Versuchen Sie es gleich wieder; nichts geht verloren oder geschieht doppelt.";
    "CLOCK_BEHIND" Unavailable
        "The server's clock is wrong and it accepts no changes. Try again later."
        "Die Uhr des Servers geht falsch, er nimmt nichts an. Versuchen Sie es später wieder.";
    "DEADLINE_EXCEEDED" DeadlineExceeded
        "The call took longer than its deadline. Repeat the same call; nothing is done twice."
        "Der Aufruf dauerte länger als seine Frist. Wiederholen Sie ihn unverändert; nichts geschieht doppelt.";
    "TOO_MANY_TRIES" ResourceExhausted
        "Too many failed tries. Wait as long as the answer says."
        "Zu viele Fehlversuche. Warten Sie so lange, wie die Antwort sagt.";
    "INTERNAL" Internal
        "The server has a fault. Tell the operator the request id."
        "Der Server hat einen Fehler. Nennen Sie dem Betreiber die Kennung der Anfrage.";
};

/// The reason of that name.
pub fn find(name: &str) -> Option<&'static Reason> {
    TABLE.iter().find(|reason| reason.name == name)
}

/// The language that an error speaks besides English status messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, the default.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// What of `accept-language` (RFC 9110, 12.5.4) we speak; English where nothing fits.
    pub fn from_accept(header: &str) -> Self {
        let weight = |item: &str| {
            let (tag, params) = item.split_once(';').unwrap_or((item, ""));
            let quality = params.trim().strip_prefix("q=").map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
            let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            (primary, quality)
        };
        let mut best = (Self::English, 0.0_f32);
        for (primary, quality) in header.split(',').map(weight) {
            let language = match primary.as_str() {
                "de" => Self::German,
                "en" => Self::English,
                _ => continue,
            };
            if quality > best.1 {
                best = (language, quality);
            }
        }
        best.0
    }

    /// The tag of `LocalizedMessage.locale`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// A reason's text in this language.
    pub const fn text(self, reason: &Reason) -> &'static str {
        match self {
            Self::English => reason.en,
            Self::German => reason.de,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_unique_and_speak_both_languages() {
        for (i, reason) in TABLE.iter().enumerate() {
            assert!(TABLE[..i].iter().all(|other| other.name != reason.name), "{} twice", reason.name);
            // A pair: what happened, what to do.
            assert!(reason.en.contains(". ") && reason.de.contains(". "), "{}", reason.name);
        }
    }

    #[test]
    fn every_rule_and_limit_of_the_domain_has_its_line() {
        for (name, _) in postfach_domain::decide::REASONS {
            assert!(find(name).is_some(), "{name}");
        }
        for limit in postfach_domain::limits::TABLE.iter().filter(|limit| !limit.reason.is_empty()) {
            assert!(find(limit.reason).is_some(), "{}", limit.reason);
        }
    }

    #[test]
    fn the_best_language_that_we_speak() {
        for (header, expected) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-DE,de;q=0.9,en;q=0.8", Language::German),
            ("fr, en;q=0.5, de;q=0.7", Language::German),
            ("en-GB, de;q=0.9", Language::English),
            ("de;q=x, en;q=0.1", Language::English),
        ] {
            assert_eq!(Language::from_accept(header), expected, "{header}");
        }
    }
}
