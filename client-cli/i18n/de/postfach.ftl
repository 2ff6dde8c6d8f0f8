# Texte von `postfach`, deutsch. Fehler stehen zu zweit: was geschah, und in .hint, was zu tun ist.

warning = Warnung: { $text }
yes = ja
no = nein

# Fragen
ask-secret = Bitte eingeben (wird nicht angezeigt):
ask-passphrase = Passwort dieses Profils:
ask-new-passphrase = Neues Passwort für dieses Profil:
ask-again = Dasselbe noch einmal:
ask-keys-export = Das gibt den geheimen Schlüssel Ihres Postfachs aus. Wer ihn hat, kann jeden Brief lesen. Ausgeben? (j/n)

# Überschriften der Hilfe
heading-usage = Aufruf:
heading-commands = Befehle
heading-arguments = Angaben
heading-options = Optionen
heading-global = Optionen aller Befehle

# Hilfe zu Befehlen
help = Amtliche Post lesen, die nur Sie öffnen können, und beweisen, was wann ankam
help-init = Ein Postfach mit dem Freischaltcode aus Ihrem Brief eröffnen
help-address = Ihre Adresse ausgeben
help-inbox = Alle Nachrichten auflisten; holt vorher neue
help-sync = Holen, was neu ist
help-watch = Neue Nachrichten zeigen, sobald sie kommen
help-read = Einen Brief zeigen; beim ersten Mal wird der Abruf unterschrieben
help-attachment = Anlagen von Briefen
help-attachment-save = Anlagen eines Briefs speichern
help-confirm = Dem Absender den Empfang eines Briefs bestätigen
help-dispute = Erklären, dass ein Brief nicht ankam
help-delete = Eine Nachricht für sich löschen; ihre Nachweise bleiben
help-receipt = Quittungen: Nachweise, die Sie anderen zeigen können
help-receipt-save = Zu jedem Ereignis einer Nachricht eine Quittung speichern
help-verify = Eine Quittung oder einen Brief prüfen, ohne Netz und ohne Konto
help-file-key = Den Schlüssel ausgeben, der einen Brief öffnet, um ihn jemandem zu zeigen
help-raw = Eine Nachricht genau so speichern, wie sie übertragen wurde
help-keys = Ihre Schlüssel
help-keys-export = Den geheimen Schlüssel Ihres Postfachs für andere age-Programme ausgeben
help-authority = Für Behörden: Bescheide senden und verfolgen
help-authority-init = Schlüssel und einen Antrag auf Zulassung erstellen
help-authority-send = Einen Bescheid versiegeln und senden
help-authority-status = Zeigen, was aus einem Bescheid wurde und wann er als bekannt gegeben gilt
help-authority-events = Zeigen, was mit den gesendeten Bescheiden geschieht
help-authority-receipts = Zu jedem Ereignis eines Bescheids eine Quittung speichern
help-authority-withdraw = Einen Bescheid zurücknehmen, bevor er gelesen wurde

# Hilfe zu Optionen
arg-help = Diese Hilfe ausgeben
arg-version = Die Version ausgeben
arg-json = Einen JSON-Wert ausgeben, auch bei Fehlern
arg-lang = Sprache aller Texte
arg-no-input = Nie fragen; was gefragt würde, ist ein Fehler
arg-screen-reader = Eine Angabe je Zeile; keine Farben, kein Fortschrittsbalken
arg-home = Ordner des Profils
arg-server-url = Diese Adresse anwählen statt der auf der Dienstkarte
arg-timeout = Wie lange versucht wird, den Server zu erreichen
arg-passphrase-file = Datei, deren erste Zeile das Passwort ist
arg-service-card = Die Dienstkarte, eine Datei Ihres Betreibers
arg-card-fingerprint = Der Fingerabdruck der Dienstkarte, wie er in Ihrem Brief steht
arg-activation-code = Der Freischaltcode: @DATEI oder - für die Standardeingabe
arg-no-passphrase = Schlüssel und Briefe auf diesem Computer ungeschützt lassen
arg-no-consent = Der elektronischen Zustellung noch nicht zustimmen
arg-recovery-kit = Wohin das Notfallblatt geschrieben wird
arg-offline = Zeigen, was bekannt ist; nichts holen
arg-message-id = Die Nachricht, wie inbox sie nennt
arg-authority-send-message-id = Kennung der neuen Nachricht, eine UUIDv7; dieselbe noch einmal sendet dasselbe noch einmal
arg-authority-status-message-id = Die Nachricht, wie send sie nannte
arg-authority-receipts-message-id = Die Nachricht, wie send sie nannte
arg-authority-withdraw-message-id = Die Nachricht, wie send sie nannte
arg-names = Namen von Anlagen; ohne Angabe alle
arg-output = Ordner, in den gespeichert wird
arg-file = Die Quittung
arg-allow-unwitnessed = Eine Quittung ohne die Zeugen annehmen, die die Dienstkarte verlangt
arg-letter = Der Umschlag eines Briefs, wie raw ihn speichert
arg-file-key = Der Schlüssel des Briefs, oder @DATEI, oder - für die Standardeingabe
arg-receipt = Die Quittung derselben Nachricht
arg-age-identity = In der Textform von age
arg-yes = Nicht vorher fragen
arg-id = Kurzname der Behörde, a bis z, 0 bis 9 und -
arg-name = Name, den Bürger sehen
arg-ags = Gemeinde (Amtlicher Gemeindeschlüssel, acht Ziffern); ihre Feiertage zählen
arg-iban = Konto, das in Zahlungsaufforderungen stehen darf; mehrfach möglich
arg-request-out = Wohin der Antrag geschrieben wird
arg-to = Adresse des Empfängers
arg-subject = Betreff
arg-body = Text des Briefs
arg-body-file = Datei mit dem Text des Briefs
arg-authority-send-letter = Datei mit allen Feldern eines Briefs (docs/authorities/letter.md)
arg-attach = Datei als Anlage; mehrfach möglich
arg-kind = Art des Schreibens, a bis z, 0 bis 9 und -; der Betreiber sieht sie
arg-regime = Vorschrift, nach der bekannt gegeben wird: none, baydig-24, ozg-9, vwvfg-41-2, vwvfg-41-2a, ao-122a, sgbx-37
arg-confirm = Den Empfänger um eine Bestätigung bitten

# Fehler im Aufruf
usage-unknown = Die Option { $what } gibt es nicht.
    .hint = Die Optionen zeigt --help.
usage-missing = Das fehlt: { $what }
    .hint = Wie der Befehl aufgerufen wird, zeigt --help.
usage-command = Den Befehl { $what } gibt es nicht.
    .hint = Alle Befehle zeigt `postfach --help`.
usage-value-of = Der Wert von { $what } ist keiner, den es gibt.
    .hint = Diese gibt es: { $known }
usage-value = Der Wert von { $what } ist nicht brauchbar.
    .hint = Was dort stehen kann, zeigt --help.
usage-conflict = { $what } geht nicht zusammen mit { $other }.
    .hint = Geben Sie nur eines davon an.
usage-nothing = Es ist nicht gesagt, was zu tun ist.
    .hint = Geben Sie einen dieser Befehle an.
usage-other = So ist der Aufruf nicht brauchbar.
    .hint = Wie der Befehl aufgerufen wird, zeigt --help.
message-id-malformed = Das ist keine Kennung einer Nachricht.
    .hint = Kopieren Sie sie aus der Liste oder der Antwort von `send`; sie sieht aus wie 0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.
address-malformed = Das ist keine Adresse: Sie ist vertippt oder abgeschnitten.
    .hint = Kopieren Sie die ganze Adresse; sie beginnt mit mpf1.
value-unknown = { $field } ist kein Wert, den es gibt.
    .hint = Diese gibt es: { $known }
bad-input = { $field } ist nicht brauchbar: { $reason }
    .hint = Berichtigen Sie das und versuchen Sie es noch einmal. Gesendet wurde nichts.

# Profil
profile-missing = In { $home } gibt es kein Postfach.
    .hint = Eröffnen Sie eines mit `postfach init`, oder nennen Sie mit --home einen anderen Ordner.
profile-missing-authority = In { $home } gibt es kein Profil einer Behörde.
    .hint = Erstellen Sie eines mit `postfach authority init`, oder nennen Sie mit --home einen anderen Ordner.
profile-is-authority = Das Profil in { $home } gehört einer Behörde.
    .hint = Nehmen Sie `postfach authority`, oder nennen Sie mit --home einen anderen Ordner.
profile-is-citizen = Das Profil in { $home } gehört einer Bürgerin oder einem Bürger.
    .hint = Nennen Sie für die Behörde mit --home einen anderen Ordner.
profile-unregistered = Die Anmeldung dieses Postfachs wurde nicht beendet.
    .hint = Rufen Sie `postfach init` noch einmal mit demselben Freischaltcode auf; es geht dort weiter, wo es aufhörte.
profile-exists = In { $home } gibt es schon ein Profil. Es blieb, wie es ist.
    .hint = Benutzen Sie es, oder nennen Sie mit --home einen anderen Ordner.
profile-busy = Ein anderer Befehl ändert gerade dieses Profil.
    .hint = Warten Sie, bis er fertig ist, und versuchen Sie es noch einmal.
profile-damaged = In diesem Profil ist etwas beschädigt oder fehlt: { $file }
    .hint = Es wurde nichts geändert. Holen Sie die Datei aus einer Kopie des Ordners zurück.
mailbox-damaged = Das Verzeichnis der Nachrichten in diesem Profil ist beschädigt: { $file }
    .hint = Verloren ist nichts, der Server hat alle Nachrichten. Legen Sie { $manifest } beiseite und rufen Sie `postfach sync` auf.
mailbox-other-form = Das Verzeichnis der Nachrichten in diesem Profil stammt von einer anderen Version dieses Programms: { $file }
    .hint = Nehmen Sie jene Version, oder legen Sie { $file } beiseite und rufen Sie `postfach sync` auf: Der Server hat alle Nachrichten.
home-in-use = Im Ordner { $home } liegen andere Dateien. Er blieb, wie er ist.
    .hint = Nennen Sie mit --home einen leeren oder neuen Ordner.
home-unknown = Das System sagt nicht, wohin Profile gehören.
    .hint = Nennen Sie einen Ordner mit --home oder POSTFACH_HOME.
passphrase-needed = Dieses Profil ist durch ein Passwort geschützt.
    .hint = Nennen Sie mit --passphrase-file eine Datei, oder rufen Sie den Befehl in einem Terminal auf.
passphrase-wrong = Das Passwort ist falsch.
    .hint = Versuchen Sie es noch einmal; Großbuchstaben und Leerzeichen zählen.
passphrase-choice = Es ist nicht gesagt, wie das neue Profil geschützt wird.
    .hint = Nennen Sie mit --passphrase-file eine Datei, oder wählen Sie --no-passphrase.
passphrase-contradiction = Eine Passwortdatei und --no-passphrase widersprechen sich.
    .hint = Geben Sie nur eines davon an.
passphrase-differs = Die beiden Passwörter sind nicht gleich.
    .hint = Versuchen Sie es noch einmal.
passphrase-empty = Das Passwort ist leer.
    .hint = Wählen Sie eines aus mehreren Wörtern.
secret-in-arguments = Ein Geheimnis darf nicht im Aufruf stehen, wo andere es sehen können.
    .hint = Schreiben Sie es in eine Datei und geben Sie @DATEI an, oder geben Sie - an und senden Sie es an die Standardeingabe.

# Dateien
file-failed = Die Datei oder der Ordner { $file } ist nicht benutzbar: { $error }
    .hint = Prüfen Sie freien Platz und Rechte, und versuchen Sie es noch einmal.
file-not-found = Es gibt keine Datei { $file }.
    .hint = Prüfen Sie den Namen.
file-too-large = Die Datei { $file } ist länger als { $limit } Bytes.
    .hint = Kürzen Sie sie, oder senden Sie sie als Anlage.
file-is-folder = { $file } ist ein Ordner.
    .hint = Nennen Sie eine Datei; einen Ordner können Sie vorher zu einer ZIP-Datei machen.
file-not-text = Die Datei { $file } ist kein Text in UTF-8.
    .hint = Speichern Sie sie als UTF-8, oder senden Sie sie als Anlage.
file-exists = Es gibt schon eine Datei { $file }. Sie blieb, wie sie ist.
    .hint = Wählen Sie einen anderen Namen.
folder-not-found = Es gibt keinen Ordner { $folder }.
    .hint = Legen Sie ihn an, oder wählen Sie einen anderen.

# Der Dienst
server-away = Der Server antwortet nicht.
    .hint = Prüfen Sie Ihre Verbindung und versuchen Sie es später; nichts geht verloren und nichts geschieht doppelt.
not-the-service = Wer unter dieser Adresse antwortet, ist nicht der Dienst Ihrer Dienstkarte.
    .hint = Machen Sie nicht weiter. Prüfen Sie die Adresse, und fragen Sie Ihren Betreiber, ob sie stimmt.
evidence-wrong = Was der Server sagt, hält der Prüfung nicht stand: { $what }
    .hint = Verlassen Sie sich nicht darauf. Was Sie haben, bleibt. Wenden Sie sich mit den Beweisen an die Aufsicht.
proof-kept = Die Beweise liegen in { $folder }.
cannot-decrypt = Ihre Schlüssel öffnen das nicht: { $what }
    .hint = Vielleicht hat ein anderes Ihrer Geräte den Schlüssel, oder die Datei ist beschädigt.
cannot-decrypt-file = Dieser Schlüssel öffnet diesen Brief nicht.
    .hint = Prüfen Sie, ob Schlüssel und Brief zusammengehören und vollständig sind.
bad-message-of = Die Nachricht ist nicht das, was ihr Absender unterschrieben hat. Nichts davon wird gezeigt.
    .hint = Weisen Sie sie mit `postfach dispute { $id }` zurück; der Absender sieht das.
bad-message = Die Nachricht ist nicht das, was ihr Absender unterschrieben hat. Nichts davon wird gezeigt.
    .hint = Sagen Sie dem Absender, dass die Nachricht fehlerhaft ist.
letter-not-received = Der Brief, der kam, ist nicht der, den der Absender unterschrieben hat. Ihr Widerspruch steht jetzt im Protokoll.
    .hint = Versuchen Sie es später noch einmal. Der Absender sieht, dass der Brief Sie nicht erreicht hat.
clock-corrected = Die Uhr dieses Computers geht um { $seconds } Sekunden falsch. Die Zeit des Servers wurde genommen.
interrupted = Abgebrochen.
    .hint = Rufen Sie denselben Befehl noch einmal auf; er macht dort weiter, wo er aufhörte.
runtime-failed = Das Programm kann nicht starten: { $error }
    .hint = Schließen Sie andere Programme und versuchen Sie es noch einmal.
card-wrong = Die Dienstkarte { $file } ist nicht die, die sie sein soll.
    .hint = Machen Sie nicht weiter. Holen Sie die Karte neu, und vergleichen Sie ihren Fingerabdruck mit Ihrem Brief.
card-malformed = Die Dienstkarte { $file } ist nicht lesbar.
    .hint = Holen Sie sie neu von Ihrem Betreiber.

# Feste Gründe des Dienstes
reason-other = Der Dienst hat das abgelehnt: { $reason }
    .hint = Versuchen Sie es später, und fragen Sie Ihren Betreiber, wenn es so bleibt.
reason-not-found = Unter diesem Namen gibt es nichts, oder nichts, was Sie sehen dürfen.
    .hint = Prüfen Sie, was Sie getippt haben.
reason-code-unknown = Der Dienst kennt diesen Freischaltcode nicht.
    .hint = Prüfen Sie, ob Code und Dienstkarte zusammengehören, oder bitten Sie um einen neuen Code.
reason-code-used = Dieser Freischaltcode wurde schon für ein anderes Postfach benutzt.
    .hint = Bitten Sie um einen neuen Code.
reason-code-expired = Dieser Freischaltcode ist abgelaufen.
    .hint = Bitten Sie um einen neuen Code.
reason-mailbox-exists = Ein Postfach mit diesen Schlüsseln gibt es schon, eröffnet mit einem anderen Code.
    .hint = Nehmen Sie den Code, mit dem Sie angefangen haben.
reason-mailbox-closed = Dieses Postfach ist geschlossen.
    .hint = Alte Briefe bleiben lesbar; Neues kann nicht ankommen.
reason-key-not-active = Der Dienst nimmt den Schlüssel dieses Profils nicht an: Er ist noch nicht zugelassen oder wurde gesperrt.
    .hint = Fragen Sie Ihren Betreiber, als Behörde die Zulassungsstelle.
reason-not-allowed = Der Schlüssel dieses Profils darf das nicht.
    .hint = Nehmen Sie ein anderes Profil, oder fragen Sie Ihren Betreiber.
reason-paper-required = Dieser Empfänger nimmt von Ihnen keine elektronische Post an.
    .hint = Senden Sie auf Papier.
reason-message-id-reused = Diese Kennung steht für eine andere Nachricht.
    .hint = Lassen Sie --message-id weg, oder wählen Sie eine neue.
reason-withdraw-too-late = Zum Zurücknehmen ist es zu spät: Der Bescheid wurde gelesen oder gilt als bekannt gegeben.
    .hint = Senden Sie einen berichtigenden Bescheid.
reason-not-yet-available = Dieser Brief darf noch nicht gelesen werden.
    .hint = Versuchen Sie es an dem Tag, den die Liste zeigt.
reason-not-handed-over = Dieser Brief wurde noch nicht gelesen.
    .hint = Lesen Sie ihn zuerst.
reason-withdrawn = Der Absender hat diese Nachricht zurückgenommen.
    .hint = Fragen Sie den Absender, wenn Sie sie erwartet haben.
reason-lapsed = Dieser Bescheid wurde nicht rechtzeitig abgerufen und gilt als nicht bekannt gegeben.
    .hint = Bitten Sie den Absender, ihn noch einmal zu senden.
reason-deleted = Diese Nachricht wurde gelöscht.
    .hint = Bitten Sie den Absender um eine Kopie, wenn Sie sie brauchen.
reason-erased = Der Inhalt dieser Nachricht wurde gelöscht.
    .hint = Ihre Nachweise bleiben; bitten Sie den Absender um eine Kopie, wenn Sie sie brauchen.
reason-too-many-tries = Es gab zu viele Fehlversuche.
    .hint = Warten Sie einige Minuten und versuchen Sie es noch einmal.
reason-attachment-not-ready = Eine Anlage ist beim Dienst nicht vollständig.
    .hint = Senden Sie die Nachricht noch einmal mit derselben --message-id.
reason-too-many-uploads = Es sind zu viele Übertragungen dieser Behörde offen; jede abgebrochene bleibt es 24 Stunden lang.
    .hint = Warten Sie, bis eine beendet ist, und wiederholen Sie den Befehl; was versiegelt ist, bleibt erhalten.
reason-too-many-readers = Es werden zu viele Anlagen auf einmal geholt.
    .hint = Warten Sie, bis eine da ist, und wiederholen Sie den Befehl; er geht weiter, wo er aufhörte.
reason-too-many-watches = Es hören zu viele Befehle auf Neuigkeiten.
    .hint = Beenden Sie einen davon, oder wiederholen Sie den Befehl in einer Minute.
reason-attachment-busy = Ein anderer Befehl speichert diese Anlage gerade in diesen Ordner.
    .hint = Warten Sie, bis er fertig ist, und rufen Sie dann denselben Befehl noch einmal auf.
reason-internal = Es ist etwas schiefgegangen, was nicht geschehen sollte.
    .hint = Versuchen Sie es später, und sagen Sie es Ihrem Betreiber, wenn es so bleibt.

# Init
init-done = Ihr Postfach ist eröffnet.
init-resumed = Die früher begonnene Anmeldung ist jetzt abgeschlossen.
init-kit = Drucken Sie das Notfallblatt aus und löschen Sie die Datei: Mit ihm kommen Sie wieder in Ihr Postfach, und jeder andere, der es hat, auch.
init-kit-gone = Das Notfallblatt, das am Anfang geschrieben wurde, liegt nicht mehr in { $file }. Erstellen Sie so bald wie möglich ein neues.
init-consent = Mit der Anmeldung haben Sie zugestimmt, dass Behörden Ihnen hierher schreiben statt auf Papier (mit --no-consent geht es ohne).
init-no-consent = Sie haben der elektronischen Zustellung nicht zugestimmt: Behörden schreiben Ihnen auf Papier.
kit-in-profile = Das Notfallblatt darf nicht im Ordner des Profils liegen: { $file }
    .hint = Wählen Sie einen anderen Ort, am besten einen Drucker oder einen Stick.
kit-title = Notfallblatt für Ihr elektronisches Postfach
kit-what =
    Wer dieses Blatt hat, kann Ihr Postfach öffnen. Verwahren Sie es bei
    Ihrem Ausweis. Mit ihm kommen Sie hinein, wenn alle Geräte verloren sind.
kit-qr = Derselbe Schlüssel für eine Kamera:
code-length = Ein Freischaltcode hat 25 Zeichen, dieser hat { $got }.
    .hint = Vergleichen Sie ihn mit Ihrem Brief.
code-symbol = Zeichen { $position } kann in einem Freischaltcode nicht vorkommen.
    .hint = Vergleichen Sie ihn mit Ihrem Brief.
code-check = Der Freischaltcode ist vertippt: Sein letztes Zeichen passt nicht zu den anderen.
    .hint = Vergleichen Sie ihn Gruppe für Gruppe mit Ihrem Brief.

# Nachrichten
message-unknown = Eine Nachricht { $id } gibt es hier nicht.
    .hint = Alle Nachrichten zeigt `postfach inbox`.
message-gone-withdrawn = Der Absender hat die Nachricht zurückgenommen. Sie ist nicht mehr lesbar.
    .hint = Fragen Sie den Absender, wenn Sie sie erwartet haben.
message-gone-erased = Der Inhalt dieser Nachricht wurde gelöscht. Sie ist nicht mehr lesbar.
    .hint = Ihre Nachweise bleiben: `postfach receipt save`.
message-gone-deleted = Sie haben diese Nachricht gelöscht.
    .hint = Bitten Sie den Absender um eine Kopie, wenn Sie sie brauchen.
message-not-read = Dieser Brief wurde auf diesem Gerät noch nicht gelesen.
    .hint = Lesen Sie ihn zuerst mit `postfach read { $id }`.
attachment-unknown = Eine Anlage { $name } hat diese Nachricht nicht.
    .hint = Die Namen zeigt `postfach read`.
attachments-partly = { $failed } von { $all } Anlagen konnten nicht gespeichert werden.
    .hint = Rufen Sie denselben Befehl noch einmal auf; er macht dort weiter, wo er aufhörte.
attachments-none = Es gibt keine Anlagen.
keys-export-unconfirmed = Es wurde nichts ausgegeben: Der geheime Schlüssel Ihres Postfachs öffnet jeden Brief.
    .hint = Geben Sie --yes an, wenn Sie sicher sind.
keys-export-title = Geheimer Schlüssel des Postfachs
inbox-empty = Es gibt keine Nachrichten.
inbox-count = { $count ->
    [one] Eine Nachricht
   *[other] { $count } Nachrichten
  }, { $unread } ungelesen.
inbox-unread = ungelesen
inbox-attachments = { $count ->
    [one] eine Anlage
   *[other] { $count } Anlagen
  }
inbox-deemed = gilt als bekannt gegeben am { $day }
inbox-confirm = bittet um Bestätigung
inbox-disputed = bestritten
inbox-withdrawn = vom Absender zurückgenommen
inbox-erased = Inhalt gelöscht
inbox-not-before = lesbar ab { $day }
inbox-faulty = { $count ->
    [one] Eine Nachricht ist nicht das, was ihr Absender unterschrieben hat, und wird nicht gezeigt.
   *[other] { $count } Nachrichten sind nicht das, was ihre Absender unterschrieben haben, und werden nicht gezeigt.
  }
sync-done = { $new ->
    [0] Nichts Neues.
    [one] Eine neue Nachricht.
   *[other] { $new } neue Nachrichten.
  }
sync-missing = { $count ->
    [one] Eine Nachricht von { $sender } kam nicht an, wie die Nummern zeigen. Fragen Sie den Absender, und sagen Sie es der Aufsicht.
   *[other] { $count } Nachrichten von { $sender } kamen nicht an, wie die Nummern zeigen. Fragen Sie den Absender, und sagen Sie es der Aufsicht.
  }
sync-repeated = Eine Nachricht von { $sender } kam mit der Nummer { $number }, die vorher eine andere hatte. Sie wird nicht gezeigt.
sync-odd = Der Dienst hat etwas getan, das diese Version nicht kennt. Suchen Sie eine neuere Version.
defect-server = Er hat etwas anderes herausgegeben, als angenommen wurde
inbox-defect-sender = nicht gezeigt: Die Nachricht ist nicht das, was ihr Absender unterschrieben hat
inbox-defect-server = nicht gezeigt: Der Dienst hat etwas anderes herausgegeben, als angenommen wurde
inbox-defect-key = nicht gezeigt: Diesem Gerät fehlt der Schlüssel
act-confirmed = Ihre Bestätigung steht im Protokoll.
act-disputed = Ihre Erklärung, dass der Brief nicht ankam, steht im Protokoll.
act-rejected = Ihre Zurückweisung dieser fehlerhaften Nachricht steht im Protokoll.
act-deleted = Die Nachricht ist gelöscht. Ihre Nachweise bleiben.
act-stood = Das stand dort schon.
read-first = Sie haben diesen Brief jetzt abgerufen; der Absender kann das sehen.
read-before = Sie haben diesen Brief am { $day } abgerufen.
read-confirm = Der Absender bittet Sie, den Empfang zu bestätigen:
read-save = So speichern Sie die Anlagen:
word-folder = ORDNER
saved = Gespeichert:
receipts-missing = Die Quittung konnte nicht geholt werden.
    .hint = Speichern Sie sie später mit `postfach authority receipts`.
receipts-none = Zu dieser Nachricht gibt es noch keine Nachweise.

# Briefe
letter-actions = Was zu tun ist
letter-attachments = Anlagen
letter-stated = Angaben des Absenders
letter-payment = Zahlungsaufforderung
letter-proven-signed = Dieser Schlüssel öffnet diesen Brief; die Quittung beweist, wer ihn unterschrieben und wann der Dienst ihn angenommen hat.
letter-proven-accepted = Dieser Schlüssel öffnet diesen Brief; die Quittung beweist, dass der Dienst genau diesen Brief hatte. Wer ihn unterschrieben hat, zeigt sie nicht: Geben Sie die Quittung zu ACCEPTED an.
letter-proven-none = Dieser Schlüssel öffnet diesen Brief. Bewiesen ist damit nichts: Geben Sie mit --receipt eine Quittung an.
letter-other = Die Quittung gehört zu einem anderen Brief.
    .hint = Geben Sie die Quittung derselben Nachricht an.
letter-wrong = Der Brief ist nicht der, der er sein soll.
    .hint = Verlassen Sie sich nicht auf ihn. Holen Sie Brief, Schlüssel und Quittung neu.
file-key-malformed = Ein Briefschlüssel hat 32 hexadezimale Ziffern.
    .hint = Kopieren Sie ihn aus `postfach file-key`.
letter-malformed = Die Briefdatei { $file } ist nicht lesbar: { $error }
    .hint = Vergleichen Sie sie mit docs/authorities/letter.md. Gesendet wurde nichts.
letter-field = Das Feld { $field } des Briefs ist nicht brauchbar.
    .hint = Es sieht so aus: { $example }. Gesendet wurde nichts.

# Senden
send-body-missing = Es gibt keinen Text: weder --body noch --body-file noch --letter mit einem Text.
    .hint = Geben Sie eines davon an; --body "" sendet einen leeren Text.
send-subject-missing = Es gibt keinen Betreff.
    .hint = Geben Sie ihn mit --subject oder in der Briefdatei an.
send-odd-name = Der Dateiname { $name } wird beim Speichern durch den Empfänger geändert.
send-lossy-name = Der Dateiname { $name } ist kein Unicode; er wird mit Ersatzzeichen gesendet.
send-id-malformed = Das ist keine Kennung für eine neue Nachricht: Es muss eine UUID der Version 7 sein.
    .hint = Lassen Sie --message-id weg, dann wird eine erzeugt; oder nehmen Sie eine wie 0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b (RFC 9562, Abschnitt 5.7).
send-busy = Ein anderer Befehl sendet gerade diese Nachricht.
    .hint = Warten Sie, bis er fertig ist, und rufen Sie dann denselben Befehl noch einmal auf; nichts geschieht doppelt.
send-id-reused = Diese Kennung wurde hier schon für eine andere Nachricht benutzt.
    .hint = Lassen Sie --message-id weg, oder wiederholen Sie den Befehl genau so, wie er war, mit unveränderten Dateien.
send-waiting = { $count ->
    [one] Eine früher versiegelte Nachricht ist noch nicht zugestellt: { $ids }. Wiederholen Sie ihren Befehl mit --message-id.
   *[other] { $count } früher versiegelte Nachrichten sind noch nicht zugestellt: { $ids }. Wiederholen Sie ihre Befehle mit --message-id.
  }
send-again = Es wird noch einmal gesendet, was früher unter dieser Kennung versiegelt wurde.
send-repeat = Wiederholen Sie den Befehl mit --message-id { $id }.
send-uploading = Senden
send-sealing = Versiegeln
send-done = Der Dienst hat den Bescheid angenommen.
attachment-loading = Holen
authority-id-malformed = Das ist kein Kurzname einer Behörde.
    .hint = Nehmen Sie a bis z, 0 bis 9 und -, höchstens 63 davon.
withdraw-done = Der Bescheid ist zurückgenommen.
authority-init-done = Ihre Schlüssel sind erstellt. Geben Sie den Antrag der Zulassungsstelle; danach können Sie senden.

# Fristen
legal-heading = Berechnet von diesem Programm
legal-unknown = noch nicht bekannt
legal-no-advice = Das ist aus dem Protokoll berechnet und keine Rechtsberatung.
legal-no-regime = Einfache Mitteilung: Es wird nichts bekannt gegeben.
legal-provided-on = Der Abruf war ab { $day } möglich; dieser Tag zählt nicht mit.
legal-notified-on = Die Benachrichtigung ging am { $day } ab; dieser Tag zählt nicht mit.
legal-handed-over-on = Abgerufen wurde am { $day }; dieser Tag zählt nicht mit.
legal-days-after = { $days ->
    [one] Der Tag danach ist der { $day }.
   *[other] Der { $days }. Tag danach ist der { $day }.
  }
legal-moved = Der { $from } ist kein Werktag; der nächste ist der { $to }.
legal-holiday-uncertain = Ob das am Sitz der Behörde ein Feiertag ist, ist nicht bekannt; wenn ja, zählt der { $day }.
legal-no-notification = Eine Benachrichtigung ist noch nicht verzeichnet.
legal-no-hand-over = Abgerufen wurde noch nicht.
legal-notification-failed = Keine Benachrichtigung konnte zugestellt werden.
legal-lapses-on = Wird vorher nicht abgerufen, verfällt die Bereitstellung am { $day } um 00:00 Uhr.
legal-lapsed-on = Es wurde nicht abgerufen; die Bereitstellung ist am { $day } um 00:00 Uhr verfallen.
legal-dispute = Der Empfänger erklärt, dass der Brief nicht ankam.
legal-withdrawn = Der Absender hat ihn zurückgenommen.
legal-unverified = Zu dieser Fassung der Regel widersprechen sich die Quellen.

# Stationen
stages-none = Es ist noch nichts geschehen.
stage-accepted = vom Dienst angenommen
stage-refused = abgelehnt: auf Papier zu senden
stage-notified = Empfänger benachrichtigt
stage-notification-failed = Benachrichtigung gescheitert
stage-handed-over = vom Empfänger abgerufen
stage-confirmed = vom Empfänger bestätigt
stage-rejected-by-recipient = vom Empfänger als fehlerhaft zurückgewiesen
stage-disputed = der Empfänger erklärt, dass der Brief nicht ankam
stage-withdrawn = vom Absender zurückgenommen
stage-lapsed = verfallen
stage-deleted = vom Empfänger gelöscht
stage-erased = Inhalt gelöscht

# Prüfen
verify-good = Die Quittung hält der Prüfung stand.
verify-no-card = Es gibt keine Dienstkarte, gegen die geprüft werden kann.
    .hint = Nennen Sie eine mit --service-card.
receipt-wrong = Die Quittung hält der Prüfung nicht stand: { $cause }
    .hint = Verlassen Sie sich nicht auf sie. Holen Sie sie neu, und prüfen Sie, ob sie zu dieser Dienstkarte gehört.

# Bezeichnungen
label-address = Adresse
label-service = Dienst
label-registrar = Zulassungsstelle
label-made = Erstellt am
label-generation = Generation
label-event = Ereignis
label-etsi = ETSI EN 319 522
label-message = Nachricht
label-sender = Absender
label-sender-name = Name des Absenders
label-recipient = Empfänger
label-actor = Unterschrieben von
label-reason = Grund
label-occurred-at = Zeit
label-time-bound = Beleg der Zeit
label-witnessed = Bezeugt
label-revocation = Sperrung
label-checkpoint = Prüfpunkt
label-place = Stelle im Protokoll
label-card = Dienstkarte
label-letter-hash = Hash des Briefs
label-subject = Betreff
label-kind = Art
label-document = Schriftstück
label-received-at = Eingegangen
label-reference = Aktenzeichen
label-stated-deadline = Frist
label-stated-period = Rechtsbehelfsfrist
label-amount = Betrag
label-creditor = Empfänger
label-payment-reference = Verwendungszweck
label-due = Fällig
label-link = Verweis
label-deemed-served = Gilt als bekannt gegeben am
label-if-holiday = Wenn Feiertag
label-rule = Regel
label-source = Quelle
label-recovery-kit = Notfallblatt
label-receipt = Quittung
label-request = Antrag
label-authority = Behörde
label-accepted-at = Angenommen
arg-watch-exec = Für jede neue Nachricht diesen Befehl ausführen (durch die Shell); er erfährt POSTFACH_MESSAGE_ID, POSTFACH_RECEIVED_AT, POSTFACH_SENDER und POSTFACH_KIND
arg-authority-events-after = Hinter dieser Marke anfangen; jede Zeile nennt ihre
arg-authority-events-follow = Weiterlaufen und zeigen, was geschieht
listen-lost = Die Verbindung ist unterbrochen. Ich versuche es weiter.
listen-again = Die Verbindung steht wieder.
watch-exec-failed = Der Befehl hinter --exec endete mit einem Fehler ({ $status }).
watch-exec-missing = Der Befehl hinter --exec konnte nicht gestartet werden: { $error }.
    .hint = Prüfen Sie, ob es eine Shell gibt. Die Nachricht ist gespeichert; `postfach inbox` zeigt sie.
