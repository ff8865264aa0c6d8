"""Made-up personal data to learn from: values of each kind, and sentences that hold them. Nobody real is meant."""

import re

TEMPLATES = """\
My name is {PERSON}.
I am {PERSON} and I live at {STREET_ADDRESS}, {GPE}.
This is {PERSON} calling from {GPE}.
You can reach me at {EMAIL_ADDRESS}.
Please write to {EMAIL_ADDRESS} or call {PHONE_NUMBER}.
My number is {PHONE_NUMBER}
call me at {PHONE_NUMBER} after {DATE_TIME}
The card is {CREDIT_CARD}.
card number {CREDIT_CARD}
I paid with {CREDIT_CARD} on {DATE_TIME}.
My IBAN is {IBAN_CODE}.
send it to {IBAN_CODE}
Transfer it to {PERSON}, {IBAN_CODE}.
my social is {US_SSN}
SSN {US_SSN}, driver's license {US_DRIVER_LICENSE}
The login came from {IP_ADDRESS}.
Somebody at {IP_ADDRESS} opened {DOMAIN_NAME}.
I saw it on {DOMAIN_NAME}
{PERSON} works for {ORGANIZATION} in {GPE}.
I have an account with {ORGANIZATION}.
{TITLE} {PERSON} will see you on {DATE_TIME}.
I am {AGE} years old.
My mother is {AGE}, her name is {PERSON}.
{PERSON}, {AGE}, from {GPE}
We are {NRP} and travel to {GPE}.
Do you have {NRP} food?
Ship it to {STREET_ADDRESS}, {ZIP_CODE} {GPE}.
{PERSON}
{STREET_ADDRESS}
{GPE} {ZIP_CODE}
Dear {TITLE} {PERSON}, your order from {ORGANIZATION} arrives {DATE_TIME}.
{PERSON} and {PERSON} met in {GPE}.
Has {PERSON} left {ORGANIZATION}?
I was born on {DATE_TIME} in {GPE}.
The meeting with {PERSON} is at {ORGANIZATION}, {STREET_ADDRESS}.
Contact: {PERSON}, {EMAIL_ADDRESS}, {PHONE_NUMBER}
Did {PERSON} call?
Where is {GPE}?
In {DATE_TIME} she moved to {GPE}.
Tell {PERSON} that I will be late.
I will come tomorrow.
Is there anything else that I can do?
What a lovely day it was.
How long does it take?
Thank you very much for your help.
No, I did not say that.""".split("\n")

ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fr gr kr pr sh st th tr sz vl".split() + [""] * 4
VOWELS = "a e i o u a e i o y ai ea ie io ö á é ü í ø".split()
CODAS = "n r s l m t k d nd rt ss n r s".split() + [""] * 12
ENDINGS = "son sen ová ov ski ez ini elli mann berg ström dottir nen as is escu enko yan shvili ez es a o er ing ley ton".split()
STREETS = "Street|St.|Road|Avenue|Ave|Lane|Drive|Way|Court|Boulevard|Place|Straat|Strasse|Gata|Weg|ulica|út".split("|")
LEGAL = ["Inc", "LLC", "Ltd", "GmbH", "Group", "Corporation", "and Sons", "Bank", "Labs", "Systems", "Partners", ""]
TITLES = ["Dr.", "Mr.", "Mrs.", "Ms.", "Prof.", "Miss"]
TOP_LEVEL = "com org net de fr uk co.uk se ch at br pl it ca io".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()


def word(rng, syllables=None):
    parts = [rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(syllables or rng.choice([1, 2, 2, 2, 3]))]
    return "".join(parts)


def capital(text):
    return text[:1].upper() + text[1:]


def digits(rng, n):
    return "".join(rng.choice("0123456789") for _ in range(n))


def like_digits(text, rng):
    """Other digits and letters in the places of the old ones."""
    out = re.sub(r"\d", lambda _: rng.choice("0123456789"), text)
    return re.sub(r"[A-Z]", lambda _: rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), out)


def luhn(number):
    total = 0
    for i, d in enumerate(reversed(number)):
        d = int(d) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return str((10 - total % 10) % 10)


class Values:
    """Values of the records to train on, and new ones."""

    SHAPED = {"CREDIT_CARD", "US_SSN", "PHONE_NUMBER", "IBAN_CODE", "IP_ADDRESS", "US_DRIVER_LICENSE", "ZIP_CODE", "DATE_TIME", "AGE"}

    def __init__(self, records):
        self.seen = {}
        for r in records:
            for begin, end, kind in r["spans"]:
                self.seen.setdefault(kind, []).append(r["text"][begin:end])

    def like(self, kind, old, rng):
        """Another value in the place of an old one."""
        if kind in self.SHAPED and rng.random() < 0.6:
            return like_digits(old, rng) if kind != "AGE" else str(rng.randrange(1, 99))
        if kind == "STREET_ADDRESS" and rng.random() < 0.5:
            return re.sub(r"[A-Z][a-z]{3,}", lambda m: capital(word(rng, 2)) if rng.random() < 0.5 else m.group(0), re.sub(r"\d", lambda _: rng.choice("0123456789"), old))
        if kind == "PERSON" and rng.random() < 0.6:
            return " ".join(w if len(w) < 3 else self.name(rng) for w in old.split(" "))
        return self.make(kind, rng)

    def name(self, rng):
        names = [w for w in rng.choice(self.seen["PERSON"]).split() if len(w) > 2]
        if names and rng.random() < 0.5:
            return rng.choice(names)
        made = word(rng)
        if rng.random() < 0.3:
            made += rng.choice(ENDINGS)
        return capital(made if len(made) > 2 else made + word(rng, 1))

    def make(self, kind, rng):
        if kind in self.seen and rng.random() < 0.45:
            return rng.choice(self.seen[kind])
        return getattr(self, kind.lower())(rng)

    def person(self, rng):
        r = rng.random()
        if r < 0.35:
            return self.name(rng)
        middle = f" {rng.choice('ABCDEFGHJKLMNPRSTVW')}. " if r > 0.85 else " "
        return self.name(rng) + middle + self.name(rng)

    def gpe(self, rng):
        made = capital(word(rng, rng.choice([2, 2, 3])))
        return made.upper() if rng.random() < 0.1 else made

    def organization(self, rng):
        made = capital(word(rng, rng.choice([2, 3])))
        if rng.random() < 0.3:
            made += rng.choice(["-", ", ", " and "]) + self.name(rng)
        return (made + " " + rng.choice(LEGAL)).strip()

    def street_address(self, rng):
        street = f"{rng.randrange(1, 99999)} {capital(word(rng, 2))} {rng.choice(STREETS)}"
        if rng.random() < 0.4:
            street += rng.choice([" Apt. ", "\n Suite ", ", Apt "]) + str(rng.randrange(1, 999))
        return street

    def email_address(self, rng):
        who = rng.choice([self.name(rng) + self.name(rng), word(rng, 2) + "." + word(rng, 2), word(rng, 2) + digits(rng, 2)])
        who = "".join(c for c in who if c.isascii()) or "mail"
        host = "".join(c for c in word(rng, 2) if c.isascii()) or "host"
        return f"{who}@{host}.{rng.choice(TOP_LEVEL)}"

    def domain_name(self, rng):
        host = "".join(c for c in capital(word(rng, 2)) + capital(word(rng, 1)) if c.isascii()) or "Site"
        return rng.choice(["https://www.", "http://www.", "https://", "www."]) + f"{host}.{rng.choice(TOP_LEVEL)}" + rng.choice(["/", ""])

    def phone_number(self, rng):
        form = rng.choice(["###-###-####", "(###) ###-####", "+## ## ### ## ##", "#### ## ## ##", "## ### ###", "+1-###-###-####", "##########", "07### ######"])
        return re.sub("#", lambda _: rng.choice("0123456789"), form)

    def credit_card(self, rng):
        body = rng.choice("3456") + digits(rng, rng.choice([14, 14, 14, 13, 12]))
        number = body + luhn(body)
        return re.sub(r"(.{4})(?=.)", r"\1 ", number) if rng.random() < 0.2 else number

    def iban_code(self, rng):
        letters = "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(4))
        return rng.choice(["GB", "DE", "FR", "NL"]) + digits(rng, 2) + letters + digits(rng, 14)

    def us_ssn(self, rng):
        return f"{digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 4)}"

    def us_driver_license(self, rng):
        return rng.choice([digits(rng, 7), rng.choice("ABDFSU") + digits(rng, 12), f"{digits(rng, 4)}-{digits(rng, 2)}-{digits(rng, 4)}"])

    def ip_address(self, rng):
        if rng.random() < 0.2:
            return ":".join(format(rng.randrange(65536), "x") for _ in range(8))
        return ".".join(str(rng.randrange(1, 255)) for _ in range(4))

    def zip_code(self, rng):
        return rng.choice([digits(rng, 5), digits(rng, 4), f"{digits(rng, 3)} {digits(rng, 2)}", f"{digits(rng, 2)}-{digits(rng, 3)}"])

    def date_time(self, rng):
        year, month, day = rng.randrange(1930, 2030), rng.randrange(1, 13), rng.randrange(1, 29)
        return rng.choice([str(year), rng.choice(DAYS), f"{year}-{month:02}-{day:02} {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
                           f"{month}/{day}/{year}", f"{rng.choice(MONTHS)} {day}", f"{day} {rng.choice(MONTHS)} {year}"])

    def age(self, rng):
        return str(rng.randrange(1, 99))

    def title(self, rng):
        return rng.choice(TITLES)

    def nrp(self, rng):
        return capital(word(rng, 2)) + rng.choice(["ian", "ese", "ish", "i"])
