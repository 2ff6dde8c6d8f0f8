//! A letter for the eye and for programs: the same for `read` and for `verify --letter`.

use postfach_domain::id::AttachmentId;
use postfach_envelope::open::OpenedLetter;
use postfach_envelope::sealed::{self, BodyType, LegalInfo};
use serde::Serialize;

use crate::output::Page;
use crate::t;

/// What a letter says.
#[derive(Debug, Serialize)]
pub struct LetterView {
    body: String,
    body_type: &'static str,
    /// What the authority states; never computed.
    stated: StatedView,
    payments: Vec<PaymentView>,
    actions: Vec<ActionView>,
    attachments: Vec<AttachmentView>,
}

#[derive(Debug, Default, Serialize)]
struct StatedView {
    reference: String,
    remedy_instruction: String,
    deadline: Option<String>,
    period: Option<String>,
}

#[derive(Debug, Serialize)]
struct PaymentView {
    creditor: String,
    iban: String,
    bic: String,
    amount_cents: u64,
    currency: String,
    reference: String,
    due_date: Option<String>,
    instalments: Vec<InstalmentView>,
    payment_link: Option<String>,
}

#[derive(Debug, Serialize)]
struct InstalmentView {
    amount_cents: u64,
    due_date: String,
}

#[derive(Debug, Serialize)]
struct ActionView {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    url: Option<String>,
    due_date: Option<String>,
}

#[derive(Debug, Serialize)]
struct AttachmentView {
    id: String,
    name: String,
    media_type: String,
    size: u64,
    sha256: String,
}

impl LetterView {
    /// Of a letter whose checks all passed.
    pub fn of(letter: &OpenedLetter) -> Self {
        let attachments = letter.attachments().iter().map(|a| AttachmentView {
            id: a.id.to_string(),
            name: a.name.clone(),
            media_type: a.media_type.clone(),
            size: a.plain_len,
            sha256: a.plain_sha256.to_hex(),
        });
        Self {
            body: letter.body().to_owned(),
            body_type: body_type(letter.body_type()),
            stated: stated(letter.legal()),
            payments: letter.payments().iter().map(PaymentView::of).collect(),
            actions: letter.actions().iter().map(ActionView::of).collect(),
            attachments: attachments.collect(),
        }
    }

    /// Of a letter as it is written, for one whose signer nobody has shown.
    pub fn of_format(letter: &sealed::Letter) -> Self {
        let attachments = letter.attachments.iter().map(|a| AttachmentView {
            id: AttachmentId::try_from(a.id.as_slice()).map(|id| id.to_string()).unwrap_or_default(),
            name: a.name.clone(),
            media_type: a.media_type.clone(),
            size: a.plain_len,
            sha256: hex::encode(&a.plain_sha256),
        });
        Self {
            body: letter.body.clone(),
            body_type: body_type(letter.body_type()),
            stated: stated(letter.legal.as_ref()),
            payments: letter.payments.iter().map(PaymentView::of).collect(),
            actions: letter.actions.iter().map(ActionView::of).collect(),
            attachments: attachments.collect(),
        }
    }

    /// True where something is attached.
    pub fn has_attachments(&self) -> bool {
        !self.attachments.is_empty()
    }

    /// Lays the letter out.
    pub fn show(&self, page: &mut Page) {
        page.blank();
        page.text(&self.body);
        self.show_stated(page);
        self.payments.iter().for_each(|payment| payment.show(page));
        if !self.actions.is_empty() {
            page.blank();
            page.heading(&t!("letter-actions"));
            self.actions.iter().for_each(|action| action.show(page));
        }
        if !self.attachments.is_empty() {
            page.blank();
            page.heading(&t!("letter-attachments"));
            for attachment in &self.attachments {
                page.item(&format!("{} ({})", attachment.name, size(attachment.size)));
            }
        }
    }

    fn show_stated(&self, page: &mut Page) {
        let stated = &self.stated;
        let (deadline, period) = (stated.deadline.as_deref(), stated.period.as_deref());
        if deadline.or(period).is_none()
            && stated.reference.is_empty()
            && stated.remedy_instruction.is_empty()
        {
            return;
        }
        page.blank();
        page.heading(&t!("letter-stated"));
        page.fact_if(&t!("label-reference"), &stated.reference);
        page.fact_if(&t!("label-stated-deadline"), deadline.unwrap_or_default());
        page.fact_if(&t!("label-stated-period"), period.unwrap_or_default());
        if !stated.remedy_instruction.is_empty() {
            page.text(&stated.remedy_instruction);
        }
    }
}

impl PaymentView {
    fn of(payment: &sealed::PaymentRequest) -> Self {
        let part = |i: &sealed::Instalment| InstalmentView {
            amount_cents: i.amount_cents,
            due_date: i.due_date.clone(),
        };
        Self {
            creditor: payment.creditor.clone(),
            iban: payment.iban.clone(),
            bic: payment.bic.clone(),
            amount_cents: payment.amount_cents,
            currency: payment.currency.clone(),
            reference: payment.reference.clone(),
            due_date: some(&payment.due_date),
            instalments: payment.instalments.iter().map(part).collect(),
            payment_link: some(&payment.payment_link),
        }
    }

    fn show(&self, page: &mut Page) {
        page.blank();
        page.heading(&t!("letter-payment"));
        page.fact(&t!("label-amount"), &amount(self.amount_cents, &self.currency));
        page.fact(&t!("label-creditor"), &self.creditor);
        page.fact("IBAN", &self.iban);
        page.fact_if("BIC", &self.bic);
        page.fact_if(&t!("label-payment-reference"), &self.reference);
        page.fact_if(&t!("label-due"), self.due_date.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-link"), self.payment_link.as_deref().unwrap_or_default());
        for part in &self.instalments {
            page.item(&format!("{}  {}", part.due_date, amount(part.amount_cents, &self.currency)));
        }
    }
}

impl ActionView {
    fn of(action: &sealed::Action) -> Self {
        Self {
            kind: action.r#type.clone(),
            title: action.title.clone(),
            url: some(&action.url),
            due_date: some(&action.due_date),
        }
    }

    fn show(&self, page: &mut Page) {
        let parts = [Some(self.title.as_str()), self.due_date.as_deref(), self.url.as_deref()];
        page.item(&parts.into_iter().flatten().collect::<Vec<_>>().join(" - "));
    }
}

fn stated(legal: Option<&LegalInfo>) -> StatedView {
    legal.map_or_else(StatedView::default, |legal| StatedView {
        reference: legal.reference.clone(),
        remedy_instruction: legal.remedy_instruction.clone(),
        deadline: some(&legal.stated_deadline),
        period: some(&legal.stated_period),
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn body_type(body_type: BodyType) -> &'static str {
    match body_type {
        BodyType::TextMarkdown => "text/markdown",
        _ => "text/plain",
    }
}

/// `123.45 EUR`, with a comma in German.
fn amount(cents: u64, currency: &str) -> String {
    let (whole, rest) = (cents / 100, cents % 100);
    let point = if crate::i18n::current() == crate::i18n::Lang::De { ',' } else { '.' };
    format!("{whole}{point}{rest:02} {currency}")
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
