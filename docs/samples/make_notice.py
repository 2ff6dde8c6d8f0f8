#!/usr/bin/env python3
"""Makes bescheid.pdf and bescheid.xml, the invented notice that ./demo delivers.

    python3 -m venv venv && venv/bin/pip install reportlab==4.4.4
    venv/bin/python docs/samples/make_notice.py

The output is the same on every run. City, people, dog and file number are invented; the IBAN is the
one that the standard's own example uses.
"""

from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Frame, Paragraph, Spacer, Table, TableStyle

HERE = Path(__file__).resolve().parent
INK, GREY, LINE = HexColor("#1a1a1a"), HexColor("#5a5a5a"), HexColor("#b8b8b8")

NOTICE = {
    "authority_id": "stadt-beispielhausen",
    "authority": "Stadt Beispielhausen",
    "office": "Stadtkämmerei – Sachgebiet Steuern",
    "street": "Rathausplatz 1",
    "city": "91999 Beispielhausen",
    "recipient": ["Frau", "Anna Beispiel", "Lindenweg 7", "91999 Beispielhausen"],
    "reference": "22-9511-04711/2027",
    "date": "23.11.2026",
    "iso_date": "2026-11-23",
    "title": "Bescheid über die Festsetzung der Hundesteuer 2027",
    "iban": "DE89370400440532013000",
    "due": "15.02.2027",
    "iso_due": "2027-02-15",
    "cents": 12000,
}
REMEDY = (
    "Gegen diesen Bescheid kann innerhalb eines Monats nach seiner Bekanntgabe Widerspruch bei der Stadt "
    "Beispielhausen, Rathausplatz 1, 91999 Beispielhausen, eingelegt werden. Der Widerspruch befreit nicht "
    "von der Pflicht, die Steuer rechtzeitig zu zahlen."
)


def style(size=10, leading=None, **more):
    return ParagraphStyle("s", fontName=more.pop("font", "Helvetica"), fontSize=size,
                          leading=leading or size * 1.4, textColor=more.pop("color", INK), **more)


def table():
    rows = [
        ["Gegenstand der Steuer", "Zeitraum", "Betrag"],
        ["Ersthund „Bello“, Marke 1234", "01.01.2027 – 31.12.2027", "120,00 EUR"],
        ["Festgesetzte Steuer", "", "120,00 EUR"],
    ]
    made = Table(rows, colWidths=[80 * mm, 55 * mm, 30 * mm])
    made.setStyle(TableStyle([
        ("FONT", (0, 0), (-1, -1), "Helvetica", 10),
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 10),
        ("FONT", (0, -1), (-1, -1), "Helvetica-Bold", 10),
        ("ALIGN", (2, 0), (2, -1), "RIGHT"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.7, INK),
        ("LINEABOVE", (0, -1), (-1, -1), 0.4, LINE),
        ("LINEBELOW", (0, -1), (-1, -1), 0.7, INK),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (2, 0), (2, -1), 0),
    ]))
    return made


def pdf(path):
    n, (width, height) = NOTICE, A4
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setTitle(n["title"])
    canvas.setAuthor(n["authority"])
    canvas.setSubject("Erfundenes Muster für Mein Postfach")

    canvas.setFillColor(INK)
    canvas.setFont("Helvetica-Bold", 16)
    canvas.drawString(25 * mm, height - 24 * mm, n["authority"])
    canvas.setFont("Helvetica", 9)
    canvas.setFillColor(GREY)
    canvas.drawString(25 * mm, height - 29.5 * mm, n["office"])
    canvas.setStrokeColor(LINE)
    canvas.line(25 * mm, height - 34 * mm, width - 20 * mm, height - 34 * mm)

    canvas.setFont("Helvetica", 7.5)
    canvas.drawString(25 * mm, height - 49 * mm, f'{n["authority"]} · {n["street"]} · {n["city"]}')
    canvas.setFillColor(INK)
    canvas.setFont("Helvetica", 11)
    for number, line in enumerate(n["recipient"]):
        canvas.drawString(25 * mm, height - (57 + 5.2 * number) * mm, line)

    facts = [("Aktenzeichen", n["reference"]), ("Auskunft", "Herr Muster, Zimmer 12"), ("Datum", n["date"])]
    for number, (name, value) in enumerate(facts):
        y = height - (57 + 5.2 * number) * mm
        canvas.setFillColor(GREY)
        canvas.setFont("Helvetica", 8.5)
        canvas.drawString(125 * mm, y, name)
        canvas.setFillColor(INK)
        canvas.setFont("Helvetica", 9.5)
        canvas.drawString(148 * mm, y, value)

    text = style(10, 14.5, spaceAfter=3 * mm)
    head = style(10.5, 14, font="Helvetica-Bold", spaceBefore=3 * mm, spaceAfter=1 * mm)
    story = [
        Paragraph(n["title"], style(13, 18, font="Helvetica-Bold", spaceAfter=5 * mm)),
        Paragraph("Sehr geehrte Frau Beispiel,", text),
        Paragraph("für das Halten Ihres Hundes setzen wir die Hundesteuer für das Kalenderjahr 2027 wie folgt fest:", text),
        table(),
        Spacer(1, 5 * mm),
        Paragraph(f'Bitte zahlen Sie <b>120,00 EUR</b> bis zum <b>{n["due"]}</b> auf das Konto der Stadtkasse, '
                  f'IBAN DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000, mit dem Verwendungszweck {n["reference"]}.', text),
        Paragraph("Begründung", head),
        Paragraph("Nach § 1 der Hundesteuersatzung der Stadt Beispielhausen unterliegt das Halten eines über vier "
                  "Monate alten Hundes im Stadtgebiet der Steuer. Sie beträgt nach § 5 der Satzung für den ersten "
                  "Hund 120,00\u00a0EUR im Kalenderjahr. Gründe für eine Befreiung oder Ermäßigung liegen nicht vor.", text),
        Paragraph("Rechtsbehelfsbelehrung", head),
        Paragraph(REMEDY, text),
        Spacer(1, 4 * mm),
        Paragraph("Mit freundlichen Grüßen", text),
        Paragraph("Muster<br/>Stadtkämmerei", text),
    ]
    Frame(25 * mm, 25 * mm, width - 45 * mm, height - 112 * mm, 0, 0, 0, 0).addFromList(story, canvas)
    assert not story, "the notice does not fit on one page"

    foot = style(7.5, 10, color=GREY)
    note = Paragraph("Dieser Bescheid wurde elektronisch erstellt und ist ohne Unterschrift gültig.<br/>"
                     "Erfundenes Muster: Stadt, Personen und Aktenzeichen gibt es nicht.", foot)
    note.wrapOn(canvas, 110 * mm, 20 * mm)
    note.drawOn(canvas, 25 * mm, 12 * mm)
    page = Paragraph("Seite 1 von 1", style(7.5, 10, color=GREY, alignment=TA_RIGHT))
    page.wrapOn(canvas, 40 * mm, 10 * mm)
    page.drawOn(canvas, width - 60 * mm, 12 * mm)
    canvas.showPage()
    canvas.save()


def xml(path):
    n = NOTICE
    amount = f'{n["cents"] // 100}.{n["cents"] % 100:02}'
    path.write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- The same notice for machines. Invented schema, invented facts; made by make_notice.py. -->
<bescheid xmlns="urn:example:mein-postfach:bescheid:1" sprache="de">
  <behoerde id="{n["authority_id"]}">{escape(n["authority"])}</behoerde>
  <aktenzeichen>{n["reference"]}</aktenzeichen>
  <datum>{n["iso_date"]}</datum>
  <titel>{escape(n["title"])}</titel>
  <empfaenger>{escape(n["recipient"][1])}</empfaenger>
  <festsetzung>
    <position von="2027-01-01" bis="2027-12-31">
      <gegenstand>Ersthund „Bello“, Marke 1234</gegenstand>
      <betrag waehrung="EUR">{amount}</betrag>
    </position>
  </festsetzung>
  <zahlung faellig="{n["iso_due"]}" iban="{n["iban"]}" verwendungszweck="{n["reference"]}">
    <betrag waehrung="EUR">{amount}</betrag>
  </zahlung>
  <rechtsbehelf frist="1m">{escape(REMEDY)}</rechtsbehelf>
</bescheid>
""", encoding="utf-8")


if __name__ == "__main__":
    pdf(HERE / "bescheid.pdf")
    xml(HERE / "bescheid.xml")
