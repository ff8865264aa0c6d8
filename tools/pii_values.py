"""Made-up personal data to learn from: values of each kind in the styles of those that were published to learn from. Nobody real is meant."""

import re

from made_up import LETTERS, LetterChain, capital, cased_like, digits, shaped_like, syllables

COUNTRIES = """\
Argentina|Australia|Austria|Belgium|Brazil|Bulgaria|Canada|Chile|China|Colombia|Croatia|Cyprus|Cyprus (Greek)|Czech Republic|Denmark|Egypt|Estonia|Finland|France|Germany|Ghana|\
Greece|Greenlander|Hungary|Iceland|India|Ireland|Italy|Japan|Kenya|Latvia|Lithuania|Luxembourg|Malta|Mexico|Morocco|Netherlands|New Zealand|Nigeria|Norway|Peru|Poland|Portugal|\
Romania|Serbia|Slovakia|Slovenia|South Africa|South Korea|Spain|Sweden|Switzerland|Tunisia|Turkey|Ukraine|United Kingdom|United States|Uruguay|Vietnam""".split("|")
NATIONALITIES = """\
Albanian American Argentine Australian Austrian Belgian Brazilian British Bulgarian Canadian Chechen Chilean Chinese Croatian Czech Danish Dutch Egyptian English Estonian \
Finnish French German Ghanaian Greek Hungarian Icelandic Indian Irish Israeli Italian Japanese Kenyan Korean Latvian Lithuanian Mexican Moroccan Nigerian Norwegian Persian \
Peruvian Polish Portuguese Romanian Russian Scottish Serbian Slovak Slovenian Spanish Swedish Swiss Thai Tunisian Turkish Ukrainian Uruguayan Vietnamese Welsh""".split()
STREET_TYPES = "Street|St|Road|Rd|Avenue|Lane|Drive|Way|Court|Boulevard|Place|Crescent|Close|Parade|str|u.|utca|út|gate|vej|tie|vägen".split("|")
STREET_ENDS = "katu tie vej gade gata gatan strasse weg straat laan vegen veien utca kuja gasse vegur stígur".split()
STREET_STARTS = ["Rue", "Rua", "Via", "Calle", "Avenida", "Avda.", "Rúa", "ul.", "Avenue", "Piazza", "P.O. Box", "Rue de", "Via della", "Postbox"]
EXTENSIONS = "Streets Parks Hills Mall Forks Points Prairie Extensions Union Summit Rapids Cliffs Dam Green Harbor Gateway Trail Road Court Courts Coves Flat Route".split()
MILITARY = ["PSC {0}, Box {1}\nAPO {2} {3}", "Unit {0} Box {1}\nDPO {2} {3}", "USNS {4}\nFPO {2} {3}", "USS {4}\nFPO {2} {3}", "USCGC {4}\nFPO {2} {3}", "USNV {4}\nFPO {2} {3}"]
SHIPS = ["USNS", "USS", "USCGC", "USNV"]
# What stays as it is in an address.
FIXED = set("Apt Suite PSC Box APO FPO DPO Unit the corner of and nan P O Postbox the".split())
LEGAL = ["Inc", "Inc.", "LLC", "Ltd.", "PLC", "Group", "Corporation", "Incorporated", "and Sons", "Corp."]
BUSINESS = """\
Data Health Credit Solutions Insights Systems Global Software Capital Research Analytics Energy Power Finance Science Media Networks Technologies Partners Labs Ventures Services \
Transit Civic Public Social Clean Rapid Open Smart Blue Red Green Golden Scale Cube Mobile Cloud Market Markets Insurance Investments Associates Agency Bank Motors Foods Travel Airlines \
Lines Holdings Consulting Interactive Design Digital Works House Map Maps School Schools Care Learning Logic Lending Trust Score Street Compass River Stone Bridge Harbor Wolf Fox Oak""".split()
HONORIFICS = ["Dr.", "Mr.", "Mrs.", "Ms.", "Prof.", "Miss"]
JOBS = """\
Accountant|Actor|Air traffic controller|Architect|Bank teller|Barber|Bookkeeper|Bus driver|Butcher|Carpenter|Cashier|Chemical engineer|Childcare worker|Civil engineer|Claims adjuster|\
Community health worker|Compliance officer|Computer support specialist|Cook|Court reporter|Customer service representative|Data entry keyer|Dental assistant|Dietitian|Editor|Electrician|\
Elementary school teacher|Event planner|Fashion designer|Financial analyst|Fire inspector|Fitness trainer|Flight attendant|Floor layer|Forest worker|Graphic designer|Health educator|\
Human resources manager|Insurance underwriter|Interior designer|Interpreter|Journalist|Judge|Laboratory technician|Landscape architect|Legal secretary|Librarian|Loan officer|Locksmith|\
Machine setter|Mail carrier|Market research analyst|Marriage counselor|Medical assistant|Meter reader|Model maker|Museum curator|Office clerk|Optician|Painter|Payroll clerk|Pharmacist|\
Photographer|Pipe fitter|Plumber|Police officer|Print binding worker|Product promoter|Project manager|Real estate broker|Receptionist|Roofer|Sales manager|School bus driver|Security guard|\
Ship engineer|Social worker|Software developer|Speech therapist|Statistician|Surveyor|Tax preparer|Taxi driver|Technical writer|Tour guide|Translator|Travel agent|Truck driver|Tutor|\
Upholsterer|Veterinarian|Waiter|Web designer|Welder|Zoologist""".split("|")
TOP_LEVEL = "com org net de fr uk co.uk se ch at br com.br pl it ca io com.au si be dk cz".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
PHONES = """\
###-###-####|(###) ###-####|(###)###-####|###.###.####|##########|+1-###-###-####|001-###-###-####|###-###-####x###|(###)###-####x####|+1-###-###-####x###|07### ### ###|07#########|\
+447### ### ###|+44 ### ### ####|## ### ###|### ####|### ## ##|## ######|## ## ## ##|##-##-##-##|#### ## ## ##|### ### ###|### ## ###|0### ### ## ##|+41 (0)## ### ## ##|\
+46 (0)### ### ##|+## ## ### ## ##|(##) ###-###|(##) ####-####|(0#) #### ####|0## ### ####|0## #### ####|## ### #### ####|## ### ## ##|##.##.##.##.##|#### ####|0### #######""".split("|")


def luhn(number):
    total = 0
    for i, d in enumerate(reversed(number)):
        d = int(d) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return str((10 - total % 10) % 10)


def long_words(texts):
    return [w for text in texts for w in re.findall(r"[^\W\d_]{3,}", text)]


class Values:
    """Values of the records to learn from, and new ones."""

    SHAPED = {"US_SSN", "IBAN_CODE", "US_DRIVER_LICENSE", "ZIP_CODE"}

    def __init__(self, records):
        self.seen = {}
        for r in records:
            for begin, end, kind in r["spans"]:
                self.seen.setdefault(kind, []).append(r["text"][begin:end])
        titled = {kind: [w for w in long_words(self.seen[kind]) if w not in FIXED] for kind in ("PERSON", "GPE", "STREET_ADDRESS", "ORGANIZATION")}
        self.words = {kind: [capital(w.lower()) for w in words] for kind, words in titled.items()}
        self.chains = {kind: LetterChain(words) for kind, words in self.words.items()}
        self.greek = [w for kind in ("GPE", "STREET_ADDRESS") for w in titled[kind] if "\u0370" <= w[0] <= "\u03ff"]
        self.mail_hosts = [v.split("@")[1] for v in self.seen["EMAIL_ADDRESS"]]

    def word(self, kind, rng):
        """A word of a name: one that was seen, one of the like letters, or one of syllables."""
        r = rng.random()
        return rng.choice(self.words[kind]) if r < 0.35 else self.chains[kind].make(rng) if r < 0.85 else capital(syllables(rng))

    def make(self, kind, rng):
        if kind in self.seen and rng.random() < 0.25:
            return rng.choice(self.seen[kind])
        return getattr(self, kind.lower())(rng)

    def like(self, kind, old, rng):
        """Another value in the place of an old one: mostly of the same shape, so that a sentence stays one."""
        if kind in self.SHAPED and rng.random() < 0.7:
            return shaped_like(old, rng)
        if kind == "PERSON":
            return self.person_like(old, rng) if rng.random() < 0.75 else self.person(rng)
        if kind == "STREET_ADDRESS":
            is_part = "\n" not in old and "," not in old and len(old.split(" ")) < 5
            return self.address_like(old, rng) if is_part or rng.random() < 0.75 else self.street_address(rng)
        if kind == "GPE":
            return self.gpe_like(old, rng)
        if kind == "TITLE":
            return rng.choice(HONORIFICS) if old in HONORIFICS else rng.choice(JOBS + self.seen["TITLE"]) if rng.random() < 0.8 else self.job(rng)
        if kind == "DATE_TIME" and old not in DAYS and rng.random() < 0.7:
            return shaped_like(old, rng) if len(old) > 4 else str(rng.randrange(1930, 2030))
        return self.make(kind, rng)

    # --- names ---

    def person(self, rng):
        r = rng.random()
        if r < 0.4:
            return self.word("PERSON", rng)
        middle = f" {rng.choice(LETTERS)}. " if r > 0.9 else f" {rng.choice(LETTERS)} " if r > 0.82 else " "
        return self.word("PERSON", rng) + middle + self.word("PERSON", rng)

    def person_like(self, old, rng):
        parts = []
        for w in old.split(" "):
            bare = w.rstrip(".")
            if len(bare) == 1:
                w = w.replace(bare, rng.choice(LETTERS))
            elif len(bare) > 2 and not bare.isupper() and bare not in ("Mrs", "Miss"):
                w = "-".join(self.word("PERSON", rng) for _ in w.split("-"))
            parts.append(w)
        return " ".join(parts)

    def town(self, rng):
        r = rng.random()
        made = self.word("GPE", rng)
        if r < 0.12:
            made += " " + self.word("GPE", rng)
        elif r < 0.18:
            made += rng.choice([" de ", " nad ", " la ", " am ", " upon ", " u ", "-"]) + self.word("GPE", rng)
        elif r < 0.22:
            made += rng.choice([" 2", " V", " K", " Nord", " (Ort)", " Beach", " Village", " Park"])
        return made.upper() if rng.random() < 0.2 else made

    def gpe(self, rng):
        return rng.choice(COUNTRIES) if rng.random() < 0.4 else self.town(rng)

    def gpe_like(self, old, rng):
        if old in COUNTRIES or old == "nan":
            return rng.choice(COUNTRIES) if rng.random() < 0.9 else self.town(rng) if rng.random() < 0.5 else "nan"
        if len(old) < 4 and old.isupper():
            return "".join(rng.choice(LETTERS) for _ in range(rng.choice([1, 2, 2, 2, 3])))
        if rng.random() < 0.3:
            return self.town(rng)
        return re.sub(r"[^\W\d_]{3,}", lambda m: self.word_like("GPE", m.group(0), rng), old)

    def word_like(self, kind, old, rng):
        if "\u0370" <= old[0] <= "\u03ff":
            return rng.choice(self.greek)
        return cased_like(self.word(kind, rng), old) if old[0].isupper() else old

    def nrp(self, rng):
        r = rng.random()
        if r < 0.1:
            return self.word("GPE", rng) + rng.choice(["ian", "ese", "ish", "i"])
        name = rng.choice(NATIONALITIES)
        return name.lower() + "s" if r < 0.2 else name

    def title(self, rng):
        return rng.choice(HONORIFICS) if rng.random() < 0.7 else rng.choice(JOBS)

    def job(self, rng):
        first, last = rng.choice(JOBS), rng.choice(JOBS).lower()
        return f"{first} and {last}" if rng.random() < 0.3 else f"{first}, {rng.choice(JOBS).lower()}, and {last}" if rng.random() < 0.1 else f"{first.split(' ')[0]} {last.split(' ')[-1]}"

    def organization(self, rng):
        last = [self.word("PERSON", rng) for _ in range(3)]
        r = rng.random()
        if r < 0.1:
            return f"{last[0]}, {last[1]} and {last[2]}"
        if r < 0.2:
            return f"{last[0]}-{last[1]}"
        if r < 0.28:
            return f"{last[0]} {rng.choice(LEGAL)}"
        if r < 0.31:
            return "".join(rng.choice(LETTERS) for _ in range(rng.choice([3, 3, 4])))
        words = [self.word("ORGANIZATION", rng) if rng.random() < 0.6 else rng.choice(BUSINESS) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]
        if rng.random() < 0.08:
            words.insert(1, rng.choice(["And", "Of", "and"]))
            words.append(rng.choice(BUSINESS))
        if len(words) > 1 and rng.random() < 0.08:
            words[0] = rng.choice([digits(rng, 1), digits(rng, 2), rng.choice(LETTERS), "U.S."])
        return " ".join(words) + (" " + rng.choice(LEGAL) if rng.random() < 0.2 else "")

    # --- places ---

    def address_like(self, old, rng):
        """The same parts in the same places, with other numbers and names in them."""
        other = {"Apt": rng.choice(["Apt", "Apt", "Suite"]), "Suite": rng.choice(["Suite", "Suite", "Apt"])}

        def number(m):
            n = len(m.group(0))
            return digits(rng, max(1, n + rng.choice([-1, 1])) if n < 5 and rng.random() < 0.25 else n)

        def word(m):
            w = m.group(0)
            if w in FIXED:
                return w
            if w in SHIPS:
                return rng.choice(SHIPS)
            if w in ("AA", "AE", "AP"):
                return rng.choice(["AA", "AE", "AP"])
            if w in STREET_TYPES and w[0].isupper():
                return rng.choice(STREET_TYPES[:14])
            if w in EXTENSIONS:
                return rng.choice(EXTENSIONS)
            if len(w) < 4 and w.isupper():
                return "".join(rng.choice(LETTERS) for _ in range(rng.choice([1, 2, 2, 2, 3])))
            if len(w) < 3 or rng.random() < 0.1:
                return w
            return self.word_like(rng.choice(["STREET_ADDRESS", "STREET_ADDRESS", "GPE", "PERSON"]), w, rng)

        parts = re.split("(" + "|".join(map(re.escape, sorted(COUNTRIES, key=len, reverse=True))) + ")", old)
        made = "".join(rng.choice(COUNTRIES) if i % 2 else re.sub(r"[^\W\d_]+", word, re.sub(r"\d+", number, part)) for i, part in enumerate(parts))
        swapped = re.sub(r"\b(Apt\.|Suite)", lambda m: "Suite" if other[m.group(1).rstrip(".")] == "Suite" else "Apt.", made)
        return re.sub(r"\n+", "\n", swapped)

    def street(self, rng):
        r, name, n = rng.random(), self.word("STREET_ADDRESS", rng), digits(rng, rng.choice([1, 2, 2, 3, 4])).lstrip("0") or "7"
        if r < 0.25:
            return f"{n} {name} {rng.choice(STREET_TYPES)}"
        if r < 0.5:
            return f"{rng.choice(STREET_STARTS)} {name} {n}"
        if r < 0.75:
            return f"{self.word('STREET_ADDRESS', rng)[:7].rstrip('aeiou')}{rng.choice(STREET_ENDS)} {n}"
        return f"{name} {self.word('PERSON', rng)} {n}" if r < 0.85 else f"{name} {n}" + (rng.choice(["", "."]))

    def street_address(self, rng):
        r = rng.random()
        numbers = [digits(rng, 4), digits(rng, 4), rng.choice(["AA", "AE", "AP"]), digits(rng, 5), self.word("PERSON", rng)]
        if r < 0.12:
            return rng.choice(MILITARY).format(*numbers)
        street, town, country = self.street(rng), self.town(rng), rng.choice(COUNTRIES)
        if r < 0.24:
            return f"the corner of {street} and {self.word('PERSON', rng)} {rng.choice(EXTENSIONS)}"
        if r < 0.34:
            return street
        flat = rng.choice(["Apt. ", "Suite "]) + digits(rng, 3)
        state = rng.choice(["nan", "".join(rng.choice(LETTERS) for _ in range(2))])
        first = f"{digits(rng, rng.choice([3, 4, 5]))} {street}" if rng.random() < 0.8 else f"{street} {self.word('PERSON', rng)} {rng.choice(EXTENSIONS)}"
        code = " " + digits(rng, 5) if rng.random() < 0.6 else ""
        return rng.choice([f"{first}\n {flat}\n {town}\n {country}{code}", f"{first} {flat}\n{town}\n, {state}\n {country}{code}", f"{first}\n{town}\n, {state}\n{code}",
                           f"{first} {flat} {town} {country}", f"{first} {flat} {town} {state}", f"{first} {flat}, {town}, {country}{code}", f"{first}, {town}, {country}",
                           f"{first} {flat}\n{town}, {state}{code}"]).rstrip()

    def zip_code(self, rng):
        return rng.choice([digits(rng, 5), digits(rng, 4), f"{digits(rng, 3)} {digits(rng, 2)}", f"{digits(rng, 4)}-{digits(rng, 3)}", f"{digits(rng, 5)}-{digits(rng, 3)}", f"{digits(rng, 4)} "
                           + rng.choice(LETTERS) + rng.choice(LETTERS), shaped_like("A1A 1A1", rng)])

    # --- addresses of machines and people ---

    def ascii_word(self, rng):
        return "".join(c for c in self.word("PERSON", rng) if c.isascii()) or "Mail"

    def email_address(self, rng):
        who = rng.choice([self.ascii_word(rng) + self.ascii_word(rng), (self.ascii_word(rng) + "." + self.ascii_word(rng)).lower(), self.ascii_word(rng).lower() + digits(rng, 2),
                          self.ascii_word(rng) + rng.choice(LETTERS) + self.ascii_word(rng)])
        host = rng.choice(self.mail_hosts) if rng.random() < 0.5 else f"{self.ascii_word(rng).lower()}.{rng.choice(TOP_LEVEL)}"
        return f"{who}@{host}"

    def domain_name(self, rng):
        host = "".join(rng.choice(BUSINESS) if rng.random() < 0.5 else self.ascii_word(rng) for _ in range(2))
        return rng.choice(["https://www.", "http://www.", "https://", "http://", "www."]) + f"{host}.{rng.choice(TOP_LEVEL)}" + rng.choice(["/", "/", ""])

    def ip_address(self, rng):
        if rng.random() < 0.2:
            return ":".join(format(rng.randrange(65536), "x") for _ in range(8))
        return ".".join(str(rng.randrange(1, 255)) for _ in range(4))

    # --- numbers ---

    def phone_number(self, rng):
        return re.sub("#", lambda _: rng.choice("0123456789"), rng.choice(PHONES))

    def credit_card(self, rng):
        body = rng.choice("123456") + digits(rng, rng.choice([14, 14, 14, 13, 12, 11, 17, 10]))
        number = body + luhn(body)
        return re.sub(r"(.{4})(?=.)", r"\1 ", number) if rng.random() < 0.1 else number

    def iban_code(self, rng):
        return rng.choice(["GB", "GB", "DE", "FR", "NL"]) + digits(rng, 2) + "".join(rng.choice(LETTERS) for _ in range(4)) + digits(rng, 14)

    def us_ssn(self, rng):
        return f"{digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 4)}"

    def us_driver_license(self, rng):
        return rng.choice([digits(rng, 7), rng.choice(LETTERS) + digits(rng, 12), rng.choice(LETTERS) + digits(rng, 14), f"{digits(rng, 4)}-{digits(rng, 2)}-{digits(rng, 4)}"])

    def date_time(self, rng):
        year, month, day = rng.randrange(1930, 2030), rng.randrange(1, 13), rng.randrange(1, 29)
        return rng.choice([str(year), str(year), rng.choice(DAYS), rng.choice(DAYS), f"{year}-{month:02}-{day:02} {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
                           f"{month}/{day}/{year}", f"{month}/{day}/{year}", f"{rng.choice(MONTHS)} {day}", f"{day} {rng.choice(MONTHS)} {year}"])

    def age(self, rng):
        return str(rng.randrange(1, 99))
