# Texts of `postfach`, English. Errors come in pairs: what happened, and in .hint what to do next.

warning = Warning: { $text }
yes = yes
no = no

# Questions
ask-secret = Please type it (it is not shown):
ask-passphrase = Passphrase of this profile:
ask-new-passphrase = New passphrase for this profile:
ask-again = The same again:
ask-keys-export = This prints the secret key of your mailbox. Whoever has it can read every letter. Print it? (y/n)

# Headings of help
heading-usage = Usage:
heading-commands = Commands
heading-arguments = Arguments
heading-options = Options
heading-global = Options of every command

# Help of commands
help = Read official letters that only you can open, and prove what arrived when
help-init = Open a mailbox with the activation code of your letter
help-address = Print your address
help-inbox = List all messages; fetches new ones first
help-sync = Fetch what is new
help-watch = Show new messages as they arrive
help-read = Show a letter; the first time this signs that you took it
help-attachment = Attachments of letters
help-attachment-save = Save attachments of a letter
help-confirm = Confirm to the sender that you received a letter
help-dispute = State that a letter did not arrive
help-delete = Delete a message for yourself; its evidence stays
help-receipt = Receipts: evidence that you can show to others
help-receipt-save = Save a receipt for every event of a message
help-verify = Check a receipt or a letter, without network and account
help-file-key = Print the key that opens one letter, to show it to somebody
help-raw = Save a message exactly as it was transported
help-keys = Your keys
help-keys-export = Print the secret key of your mailbox for other age tools
help-authority = For authorities: send and follow notices
help-authority-init = Make keys and a request for admission
help-authority-send = Seal and send a notice
help-authority-status = Show what became of a notice, and what the law makes of it
help-authority-events = Show what happens to the notices that were sent
help-authority-receipts = Save a receipt for every event of a notice
help-authority-withdraw = Take a notice back before it was read

# Help of options
arg-help = Print this help
arg-version = Print the version
arg-json = Print one JSON value, errors too
arg-lang = Language of all texts
arg-no-input = Never ask; what would be asked is an error
arg-screen-reader = One fact a line; no colours, no progress bar
arg-home = Folder of the profile
arg-server-url = Dial this address instead of the one on the service card
arg-timeout = How long to try to reach the server
arg-passphrase-file = File whose first line is the passphrase
arg-service-card = The service card, a file from your operator
arg-card-fingerprint = The fingerprint of the service card as printed on your letter
arg-activation-code = The activation code: @FILE or - for standard input
arg-no-passphrase = Leave keys and letters unprotected on this computer
arg-no-consent = Do not agree to electronic delivery yet
arg-recovery-kit = Where to write the recovery kit
arg-offline = Show what is known; fetch nothing
arg-message-id = The message, as inbox lists it
arg-authority-send-message-id = Id of the new message, a UUIDv7; the same again sends the same again
arg-authority-status-message-id = The message, as send printed it
arg-authority-receipts-message-id = The message, as send printed it
arg-authority-withdraw-message-id = The message, as send printed it
arg-names = Names of attachments; all where none is given
arg-output = Folder to save in
arg-file = The receipt
arg-allow-unwitnessed = Accept a receipt without the witnesses that the service card asks for
arg-letter = The envelope of a letter, as raw saves it
arg-file-key = The key of the letter, or @FILE, or - for standard input
arg-receipt = The receipt of the same message
arg-age-identity = In age's text form
arg-yes = Do not ask first
arg-id = Short name of the authority, a to z, 0 to 9 and -
arg-name = Name that citizens see
arg-ags = Municipality (Amtlicher Gemeindeschlüssel, eight digits); its holidays count
arg-iban = Account that may stand in requests to pay; may be repeated
arg-request-out = Where to write the request
arg-to = Address of the recipient
arg-subject = Subject
arg-body = Text of the letter
arg-body-file = File with the text of the letter
arg-authority-send-letter = File with all fields of a letter (docs/authorities/letter.md)
arg-attach = File to attach; may be repeated
arg-kind = Kind of notice, a to z, 0 to 9 and -; the operator sees it
arg-regime = Law under which the notice is served: none, baydig-24, ozg-9, vwvfg-41-2, vwvfg-41-2a, ao-122a, sgbx-37
arg-confirm = Ask the recipient to confirm

# Errors of usage
usage-unknown = The option { $what } is not known.
    .hint = See the options with --help.
usage-missing = This is missing: { $what }
    .hint = See how the command is used with --help.
usage-command = There is no command { $what }.
    .hint = See all commands with `postfach --help`.
usage-value-of = The value of { $what } is not one that exists.
    .hint = These do: { $known }
usage-value = The value of { $what } cannot be used.
    .hint = See what it takes with --help.
usage-conflict = { $what } does not go together with { $other }.
    .hint = Give only one of them.
usage-nothing = It is not said what to do.
    .hint = Give one of these commands.
usage-other = The command line cannot be used as it is.
    .hint = See how the command is used with --help.
message-id-malformed = That is not the id of a message.
    .hint = Copy it from the list or from the answer of `send`; it looks like 0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.
address-malformed = That is not an address: it is mistyped or cut.
    .hint = Copy the whole address; it begins with mpf1.
value-unknown = { $field } is not one of the values that exist.
    .hint = These do: { $known }
bad-input = { $field } cannot be used: { $reason }
    .hint = Correct it and try again. Nothing was sent.

# Profile
profile-missing = There is no mailbox in { $home }.
    .hint = Open one with `postfach init`, or name another folder with --home.
profile-missing-authority = There is no profile of an authority in { $home }.
    .hint = Make one with `postfach authority init`, or name another folder with --home.
profile-is-authority = The profile in { $home } belongs to an authority.
    .hint = Use `postfach authority`, or name another folder with --home.
profile-is-citizen = The profile in { $home } belongs to a citizen.
    .hint = Name another folder with --home for the authority.
profile-unregistered = The registration of this mailbox was not finished.
    .hint = Run `postfach init` again with the same activation code; it goes on where it stopped.
profile-exists = There is a profile in { $home } already. It was left as it is.
    .hint = Use it, or name another folder with --home.
profile-busy = Another command is changing this profile.
    .hint = Wait until it has ended, and try again.
profile-damaged = Something in this profile is damaged or missing: { $file }
    .hint = Nothing was changed. Put the file back from a copy of the folder.
mailbox-damaged = The list of messages in this profile is damaged: { $file }
    .hint = Nothing is lost, the server has all messages. Move { $manifest } away and run `postfach sync`.
mailbox-other-form = The list of messages in this profile was written by another version of this program: { $file }
    .hint = Use that version, or move { $file } away and run `postfach sync`: the server has all messages.
home-in-use = The folder { $home } has other files in it. It was left as it is.
    .hint = Name an empty or a new folder with --home.
home-unknown = The system does not say where profiles belong.
    .hint = Name a folder with --home or POSTFACH_HOME.
passphrase-needed = This profile is protected by a passphrase.
    .hint = Give a file with --passphrase-file, or run the command in a terminal.
passphrase-wrong = The passphrase is wrong.
    .hint = Try again; capitals and blanks count.
passphrase-choice = It is not said how the new profile is protected.
    .hint = Give a file with --passphrase-file, or choose --no-passphrase.
passphrase-contradiction = A passphrase file and --no-passphrase contradict each other.
    .hint = Give only one of them.
passphrase-differs = The two passphrases are not the same.
    .hint = Try again.
passphrase-empty = The passphrase is empty.
    .hint = Choose one of several words.
secret-in-arguments = A secret must not stand in the command line, where others can see it.
    .hint = Write it to a file and give @FILE, or give - and send it to standard input.

# Files
file-failed = The file or folder { $file } cannot be used: { $error }
    .hint = Check free space and permissions, and try again.
file-not-found = There is no file { $file }.
    .hint = Check the name.
file-too-large = The file { $file } is longer than { $limit } bytes.
    .hint = Shorten it, or send it as an attachment.
file-is-folder = { $file } is a folder.
    .hint = Name a file; a folder can be made into a ZIP file first.
file-not-text = The file { $file } is not text in UTF-8.
    .hint = Save it as UTF-8, or send it as an attachment.
file-exists = There is a file { $file } already. It was left as it is.
    .hint = Choose another name.
folder-not-found = There is no folder { $folder }.
    .hint = Make it, or choose another one.

# The service
server-away = The server does not answer.
    .hint = Check your connection and try again later; nothing is lost and nothing happens twice.
not-the-service = Whoever answers at this address is not the service of your service card.
    .hint = Do not go on. Check the address, and ask your operator if it is the right one.
evidence-wrong = What the server says does not hold: { $what }
    .hint = Do not rely on it. What you have is kept. Tell a supervisory body and show the evidence.
proof-kept = The evidence lies in { $folder }.
cannot-decrypt = Your keys do not open the { $what }.
    .hint = Another device of yours may have the key, or the file is damaged.
cannot-decrypt-file = This key does not open this letter.
    .hint = Check that key and letter belong together and are whole.
bad-message-of = The message is not what its sender signed for. Nothing of it is shown.
    .hint = Reject it with `postfach dispute { $id }`; the sender sees that.
bad-message = The message is not what its sender signed for. Nothing of it is shown.
    .hint = Tell the sender that the message is faulty.
letter-not-received = The letter that came is not the one that the sender signed. A dispute stands in the log now.
    .hint = Try again later. The sender sees that the letter did not reach you.
clock-corrected = The clock of this computer is off by { $seconds } seconds. The time of the server was used.
interrupted = Interrupted.
    .hint = Run the same command again; it goes on where it stopped.
runtime-failed = The program cannot start: { $error }
    .hint = Close other programs and try again.
card-wrong = The service card { $file } is not the one it should be.
    .hint = Do not go on. Get the card anew, and compare its fingerprint with your letter.
card-malformed = The service card { $file } cannot be read.
    .hint = Get it anew from your operator.

# Stable reasons of the service
reason-other = The service refused this: { $reason }
    .hint = Try again later, and ask your operator if it stays so.
reason-not-found = There is nothing of that name, or nothing that you may see.
    .hint = Check what you typed.
reason-code-unknown = The service does not know this activation code.
    .hint = Check that code and service card belong together, or ask for a new code.
reason-code-used = This activation code was used for another mailbox already.
    .hint = Ask for a new code.
reason-code-expired = This activation code has expired.
    .hint = Ask for a new code.
reason-mailbox-exists = There is a mailbox with these keys already, opened with another code.
    .hint = Use the code that you began with.
reason-mailbox-closed = This mailbox is closed.
    .hint = Old letters can still be read; nothing new can arrive.
reason-key-not-active = The service does not accept the key of this profile: it is not admitted yet, or was revoked.
    .hint = Ask your operator, or the registrar for an authority.
reason-not-allowed = The key of this profile may not do that.
    .hint = Use another profile, or ask your operator.
reason-paper-required = This recipient does not take electronic post from you.
    .hint = Send it on paper.
reason-message-id-reused = This message id stands for another message.
    .hint = Leave --message-id out, or choose a new one.
reason-withdraw-too-late = It is too late to withdraw: the notice was read, or counts as served.
    .hint = Send a correcting notice.
reason-not-yet-available = This letter may not be read yet.
    .hint = Try again on the day that the inbox shows.
reason-not-handed-over = This letter was not read yet.
    .hint = Read it first.
reason-withdrawn = The sender took this message back.
    .hint = Ask the sender if you expected it.
reason-lapsed = This notice was not fetched in time and counts as not served.
    .hint = Ask the sender to send it again.
reason-deleted = This message was deleted.
    .hint = Ask the sender for a copy if you need it.
reason-erased = The content of this message was erased.
    .hint = Its evidence stays; ask the sender for a copy if you need it.
reason-too-many-tries = There were too many failed tries.
    .hint = Wait some minutes and try again.
reason-attachment-not-ready = An attachment is not complete at the service.
    .hint = Send the message again with the same --message-id.
reason-too-many-uploads = Too many uploads of this authority are open; each that was broken off stays open for 24 hours.
    .hint = Wait until one has ended, and repeat the command; what is sealed is kept.
reason-too-many-readers = Too many attachments are being fetched at once.
    .hint = Wait until one is there, and repeat the command; it goes on where it stopped.
reason-too-many-watches = Too many commands are listening for news.
    .hint = End one of them, or repeat the command in a minute.
reason-attachment-busy = Another command is saving this attachment into this folder.
    .hint = Wait until it has ended, then run the same command again.
reason-internal = Something went wrong that should not.
    .hint = Try again later, and tell your operator if it stays so.

# Init
init-done = Your mailbox is open.
init-resumed = The registration that was begun before is finished now.
init-kit = Print the recovery kit and delete the file: with it you get back into your mailbox, and so does everybody else who has it.
init-kit-gone = The recovery kit that was written when this began is no longer at { $file }. Make a new one as soon as you can.
init-consent = By registering you agreed that authorities write to you here instead of on paper (--no-consent registers without).
init-no-consent = You have not agreed to electronic delivery: authorities will write to you on paper.
kit-in-profile = The recovery kit must not lie in the profile folder: { $file }
    .hint = Choose another place, best a printer or a stick.
kit-title = Recovery kit for your electronic mailbox
kit-what =
    Whoever has this sheet can open your mailbox. Keep it where you keep
    your passport. With it you get back in when all devices are lost.
kit-qr = The same key for a camera:
code-length = An activation code has 25 symbols, this one has { $got }.
    .hint = Compare it with your letter.
code-symbol = Symbol { $position } cannot stand in an activation code.
    .hint = Compare it with your letter.
code-check = The activation code is mistyped: its last symbol does not fit the others.
    .hint = Compare it with your letter, group by group.

# Messages
message-unknown = There is no message { $id } here.
    .hint = See all messages with `postfach inbox`.
message-gone-withdrawn = The sender took the message back. It cannot be read any more.
    .hint = Ask the sender if you expected it.
message-gone-erased = The content of this message was erased. It cannot be read any more.
    .hint = Its evidence stays: `postfach receipt save`.
message-gone-deleted = You deleted this message.
    .hint = Ask the sender for a copy if you need it.
message-not-read = This letter was not read on this device yet.
    .hint = Read it first with `postfach read { $id }`.
attachment-unknown = There is no attachment { $name } in this message.
    .hint = See the names with `postfach read`.
attachments-partly = { $failed } of { $all } attachments could not be saved.
    .hint = Run the same command again; it goes on where it stopped.
attachments-none = Nothing is attached.
keys-export-unconfirmed = Nothing was printed: the secret key of your mailbox opens every letter.
    .hint = Give --yes if you are sure.
keys-export-title = Secret key of mailbox
inbox-empty = There are no messages.
inbox-count = { $count ->
    [one] One message
   *[other] { $count } messages
  }, { $unread } unread.
inbox-unread = unread
inbox-attachments = { $count ->
    [one] one attachment
   *[other] { $count } attachments
  }
inbox-deemed = counts as served on { $day }
inbox-confirm = asks for a confirmation
inbox-disputed = disputed
inbox-withdrawn = taken back by the sender
inbox-erased = content erased
inbox-not-before = may be read from { $day }
inbox-faulty = { $count ->
    [one] One message is not what its sender signed for and is not shown.
   *[other] { $count } messages are not what their senders signed for and are not shown.
  }
sync-done = { $new ->
    [0] Nothing new.
    [one] One new message.
   *[other] { $new } new messages.
  }
sync-missing = { $count ->
    [one] One message from { $sender } did not come, as the numbers show. Ask the sender, and tell a supervisory body.
   *[other] { $count } messages from { $sender } did not come, as the numbers show. Ask the sender, and tell a supervisory body.
  }
sync-repeated = A message from { $sender } came with the number { $number } that another one had before. It is not shown.
sync-odd = The service did something that this version does not know. Look for a newer version.
defect-server = it gave out something else than was accepted
inbox-defect-sender = not shown: the message is not what its sender signed for
inbox-defect-server = not shown: the service gave out something else than was accepted
inbox-defect-key = not shown: this device lacks the key
act-confirmed = Your confirmation stands in the log.
act-disputed = Your statement that the letter did not arrive stands in the log.
act-rejected = Your rejection of this faulty message stands in the log.
act-deleted = The message is deleted. Its evidence stays.
act-stood = It stood there before.
read-first = You took this letter now; the sender can see that.
read-before = You took this letter on { $day }.
read-confirm = The sender asks you to confirm that you received this:
read-save = Save the attachments with:
word-folder = FOLDER
saved = Saved:
receipts-missing = The receipt could not be fetched.
    .hint = Save it later with `postfach authority receipts`.
receipts-none = There is no evidence of this message yet.

# Letters
letter-actions = What to do
letter-attachments = Attachments
letter-stated = Stated by the sender
letter-payment = Request to pay
letter-proven-signed = This letter opens with this key; the receipt proves who signed it and when the service accepted it.
letter-proven-accepted = This letter opens with this key; the receipt proves that the service held exactly this letter. Who signed it is not shown: give the receipt of ACCEPTED.
letter-proven-none = This letter opens with this key. Nothing is proven about it: give a receipt with --receipt.
letter-other = The receipt is about another letter.
    .hint = Give the receipt of the same message.
letter-wrong = The letter is not what it should be.
    .hint = Do not rely on it. Get letter, key and receipt anew.
file-key-malformed = A file key has 32 hexadecimal digits.
    .hint = Copy it from `postfach file-key`.
letter-malformed = The letter file { $file } cannot be read: { $error }
    .hint = Compare it with docs/authorities/letter.md. Nothing was sent.
letter-field = The field { $field } of the letter cannot be used.
    .hint = It looks like this: { $example }. Nothing was sent.

# Sending
send-body-missing = There is no text: neither --body nor --body-file nor --letter with a body.
    .hint = Give one of them; --body "" sends an empty text.
send-subject-missing = There is no subject.
    .hint = Give it with --subject, or in the letter file.
send-odd-name = The file name { $name } will be changed when the recipient saves it.
send-lossy-name = The file name { $name } is not Unicode; it is sent with replacement marks.
send-id-malformed = That is no id for a new message: it has to be a UUID of version 7.
    .hint = Leave --message-id out and one is made; or give one like 0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b (RFC 9562, section 5.7).
send-busy = Another command is sending this message.
    .hint = Wait until it has ended, then run the same command again; nothing happens twice.
send-id-reused = This message id was used here for another message.
    .hint = Leave --message-id out, or repeat the command exactly as it was, with the files unchanged.
send-waiting = { $count ->
    [one] One message was sealed before and is not delivered yet: { $ids }. Repeat its command with --message-id.
   *[other] { $count } messages were sealed before and are not delivered yet: { $ids }. Repeat their commands with --message-id.
  }
send-again = Sending again what was sealed before under this id.
send-repeat = Repeat the command with --message-id { $id }.
send-uploading = Sending
send-sealing = Sealing
send-done = The service accepted the notice.
attachment-loading = Fetching
authority-id-malformed = That is not the short name of an authority.
    .hint = Use a to z, 0 to 9 and -, at most 63 of them.
withdraw-done = The notice is withdrawn.
authority-init-done = Your keys are made. Give the request to the registrar; afterwards you can send.

# Legal time
legal-heading = Computed by this program
legal-unknown = not known yet
legal-no-advice = This is computed from the log, and no legal advice.
legal-no-regime = Plain information: nothing is served.
legal-provided-on = It could be fetched from { $day } on; that day is not counted.
legal-notified-on = The notification was sent on { $day }; that day is not counted.
legal-handed-over-on = It was fetched on { $day }; that day is not counted.
legal-days-after = { $days ->
    [one] The day after it is { $day }.
   *[other] Day { $days } after it is { $day }.
  }
legal-moved = { $from } is no working day; the next one is { $to }.
legal-holiday-uncertain = Whether that is a holiday at the seat of the authority is not known; if it is, { $day } counts.
legal-no-notification = No notification is recorded yet.
legal-no-hand-over = It was not fetched yet.
legal-notification-failed = No notification could be delivered.
legal-lapses-on = If nobody fetches it before, it lapses on { $day } at 00:00.
legal-lapsed-on = Nobody fetched it; it lapsed on { $day } at 00:00.
legal-dispute = The recipient states that it did not arrive.
legal-withdrawn = The sender took it back.
legal-unverified = Sources disagree about this version of the rule.

# Stages
stages-none = Nothing has happened yet.
stage-accepted = accepted by the service
stage-refused = refused: to be sent on paper
stage-notified = recipient notified
stage-notification-failed = notification failed
stage-handed-over = fetched by the recipient
stage-confirmed = confirmed by the recipient
stage-rejected-by-recipient = rejected by the recipient as faulty
stage-disputed = the recipient states that it did not arrive
stage-withdrawn = withdrawn by the sender
stage-lapsed = lapsed
stage-deleted = deleted by the recipient
stage-erased = content erased

# Verify
verify-good = The receipt holds.
verify-no-card = There is no service card to check against.
    .hint = Name one with --service-card.
receipt-wrong = The receipt does not hold: { $cause }
    .hint = Do not rely on it. Get it anew, and check that it belongs to this service card.

# Labels
label-address = Address
label-service = Service
label-registrar = Registrar
label-made = Made on
label-generation = generation
label-event = Event
label-etsi = ETSI EN 319 522
label-message = Message
label-sender = Sender
label-sender-name = Name of sender
label-recipient = Recipient
label-actor = Signed by
label-reason = Reason
label-occurred-at = Time
label-time-bound = Time vouched by
label-witnessed = Witnessed
label-revocation = Revocation
label-checkpoint = Checkpoint
label-place = Place in the log
label-card = Service card
label-letter-hash = Hash of letter
label-subject = Subject
label-kind = Kind
label-document = Document
label-received-at = Received
label-reference = Reference
label-stated-deadline = Deadline
label-stated-period = Period for a remedy
label-amount = Amount
label-creditor = Payee
label-payment-reference = Payment reference
label-due = Due
label-link = Link
label-deemed-served = Counts as served on
label-if-holiday = If a holiday
label-rule = Rule
label-source = Source
label-recovery-kit = Recovery kit
label-receipt = Receipt
label-request = Request
label-authority = Authority
label-accepted-at = Accepted
arg-watch-exec = Run this command for each new message (by the shell); it learns POSTFACH_MESSAGE_ID, POSTFACH_RECEIVED_AT, POSTFACH_SENDER and POSTFACH_KIND
arg-authority-events-after = Begin behind this cursor; every line names its own
arg-authority-events-follow = Go on, and show what happens
listen-lost = The line is down. Trying again.
listen-again = The line is up again.
watch-exec-failed = The command behind --exec ended with an error ({ $status }).
watch-exec-missing = The command behind --exec could not be started: { $error }.
    .hint = Check that there is a shell. The message is stored; `postfach inbox` shows it.
