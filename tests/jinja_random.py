"""Random templates for jinja_check.py: small programs of all parts of the language, most of them valid."""
import random

TEXTS = ["''", "'a'", "'Ab c'", "'x,y,,z'", "'  pad '", "'ünï ß'", '"it\'s"', "'a\\nb\\r\\nc'", "'12'", "'-3.5e1'", "'%s|%5d'",
         "'{} {0}'", "'<b>&'", "'\\u00e9\\x41\\101\\q'"]
NAMES = ["none_value", "d", "l", "people", "text", "f", "t", "missing", "x", "y", "loop", "ns"]
TEXT_FILTERS = ["upper", "lower", "title", "capitalize", "trim", "string", "length", "wordcount", "e", "safe", "indent(2)",
                "indent(1, true)", "indent('> ', blank=true)", "replace('a', 'bb')", "replace('', '-', 2)", "center(9)",
                "list", "first", "last", "reverse|list", "int", "int(5)", "float",
                "default('none')", "d('z', true)", "tojson", "trim('ab ')", "format(1, 2)"]
LIST_FILTERS = ["list", "first", "last", "length", "join(',')", "sort", "sort(reverse=true)", "unique|list", "reverse|list",
                "batch(2)|list", "batch(2, 0)|list", "slice(2)|list", "slice(3, 'f')|list", "sum", "min", "max",
                "map('string')|list", "map('upper')|join", "select('odd')|list", "reject('string')|list", "select|list",
                "tojson", "tojson(indent=2)", "string", "sum(start=1)"]
PEOPLE_FILTERS = ["map(attribute='name')|list", "map(attribute='zip', default='?')|list", "selectattr('age', 'gt', 10)|list",
                  "rejectattr('age', 'eq', 7)|list", "selectattr('zip')|list", "selectattr('zip', 'undefined')|list|length",
                  "sort(attribute='age')|map(attribute='name')|join(' ')", "sort(attribute='age,name')|first",
                  "sort(attribute='name', case_sensitive=true)|last", "groupby('age')|list", "sum(attribute='age')",
                  "min(attribute='name')", "max(attribute='age')", "unique(attribute='age')|list", "join('/', attribute='name')"]
DICT_FILTERS = ["dictsort", "dictsort(by='value')", "dictsort(reverse=true)|list", "items|list", "list", "length", "tojson",
                "tojson(indent=1, sort_keys=true)", "tojson(separators=(',', ':'))", "string", "first", "count"]
NUMBER_FILTERS = ["abs", "int", "float", "round", "round(1)", "round(1, 'floor')", "round(method='ceil')", "string",
                  "default(0)", "tojson", "round(-1)"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence",
         "callable", "true", "false", "odd", "even", "divisibleby 3", "in [1, 'a', none]", "eq 3", "ne 'a'", "sameas none",
         "lower", "upper", "escaped", "lt 5", "filter", "test"]
METHODS = ["upper()", "lower()", "strip()", "lstrip()", "rstrip('c ')", "split()", "split(',')", "split(',', 1)", "rsplit(',', 1)",
           "splitlines()", "startswith('a')", "endswith(('z', 'c'))", "replace('a', 'o')", "find('b')", "rfind('a')", "count('a')",
           "title()", "capitalize()", "swapcase()", "isdigit()", "isalpha()", "isspace()", "islower()", "isupper()", "isalnum()",
           "partition(',')", "rpartition(' ')", "removeprefix('A')", "removesuffix('z')", "center(7, '*')", "ljust(4)", "rjust(4)",
           "zfill(5)", "join(['p', 'q'])", "format(1)", "index('z')"]


class Maker:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, items):
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    def number(self):
        return self.pick(["0", "1", "2", "3", "7", "10", "1.5", "0.1", "1e3", "2.0", "100", "-1", "-2", "1_000", "0x1f"])

    def text(self, depth):
        if depth <= 0 or self.chance(0.5):
            return self.pick(TEXTS + ["text", "people[0].name"])
        kind = self.rng.randrange(6)
        if kind == 0:
            return f"{self.text(depth - 1)} + {self.text(depth - 1)}"
        if kind == 1:
            return f"(({self.any(depth - 1)}) ~ ({self.any(depth - 1)}))"
        if kind == 2:
            return f"{self.atom_text(depth)}.{self.pick(METHODS)}"
        if kind == 3:
            return f"{self.atom_text(depth)}|{self.pick(TEXT_FILTERS)}"
        if kind == 4:
            return f"({self.atom_text(depth)}|string)[{self.slice()}]"
        return f"{self.atom_text(depth)} * {self.pick(['0', '2', '-1', '3'])}"

    def atom_text(self, depth):
        return self.pick([self.pick(TEXTS), "text", f"({self.text(depth - 1)})"])

    def slice(self):
        part = lambda: self.pick(["", "0", "1", "2", "-1", "-2", "5", "-9", "none"])
        form = self.rng.randrange(4)
        if form == 0:
            return self.pick(["0", "1", "-1", "9", "'a'", "'name'"])
        if form == 1:
            return f"{part()}:{part()}"
        return f"{part()}:{part()}:{self.pick(['', '1', '-1', '2', '-2', '3'])}"

    def listing(self, depth):
        if depth <= 0 or self.chance(0.4):
            return self.pick(["l", "[]", "[1, 2.0, 3]", "(1, 2)", "(1,)", "['b', 'A', 'c']", "range(4)|list", "[[1, 2], [3]]", "d.values()|list",
                              "d.keys()|list", "['a', 1, none]", "[true, 0, '']", "[{'a': 1}, {}]"])
        items = ", ".join(self.any(depth - 1) for _ in range(self.rng.randrange(4)))
        kind = self.rng.randrange(5)
        if kind == 0:
            return f"[{items}]"
        if kind == 1:
            return f"({self.listing(depth - 1)} + {self.listing(depth - 1)})"
        if kind == 2:
            return f"(({self.listing(depth - 1)})|list)[{self.slice()}]"
        if kind == 3:
            return f"({self.listing(depth - 1)})|{self.pick(LIST_FILTERS)}"
        return f"people|{self.pick(PEOPLE_FILTERS)}"

    def mapping(self, depth):
        if depth <= 0 or self.chance(0.5):
            return self.pick(["d", "people[1]", "{}", "{'k': 1, 2: 'v', none: [1]}", "dict(a=1, b='c')", "d.nested"])
        pairs = ", ".join(f"{self.pick(TEXTS)}: {self.any(depth - 1)}" for _ in range(self.rng.randrange(3)))
        return self.pick([f"{{{pairs}}}", f"dict({self.mapping(depth - 1)}, z=1)"])

    def numeric(self, depth):
        if depth <= 0 or self.chance(0.4):
            return self.pick([self.number(), "f", "l[0]", "l|length", "people[0].age"])
        kind = self.rng.randrange(4)
        if kind == 0:
            op = self.pick(["+", "-", "*", "/", "//", "%", "**"])
            right = self.pick(["2", "3", "-2"]) if op == "**" else self.numeric(depth - 1)
            return f"({self.numeric(depth - 1)} {op} {right})"
        if kind == 1:
            return f"{self.numeric(depth - 1)}|{self.pick(NUMBER_FILTERS)}"
        if kind == 2:
            return f"-{self.numeric(depth - 1)}"
        return f"({self.listing(depth - 1)})|length"

    def logical(self, depth):
        kind = self.rng.randrange(7)
        a, b = self.any(depth - 1), self.any(depth - 1)
        if kind == 0:
            return f"({a}) {self.pick(['==', '!='])} ({b})"
        if kind == 1:
            return f"{self.numeric(depth - 1)} {self.pick(['<', '<=', '>', '>='])} {self.numeric(depth - 1)}"
        if kind == 2:
            return f"({a}) is {self.pick(['', 'not '])}{self.pick(TESTS)}"
        if kind == 3:
            return f"({a}) {self.pick(['and', 'or'])} ({b})"
        if kind == 4:
            return f"not ({a})"
        if kind == 5:
            return f"({a}) {self.pick(['in', 'not in'])} ({self.pick([self.listing(depth - 1), self.mapping(depth - 1)])})"
        return f"1 < {self.numeric(depth - 1)} <= 3"

    def any(self, depth):
        if depth <= 0:
            return self.pick([self.number(), self.pick(TEXTS), self.pick(NAMES[:7] + NAMES[8:10]), "none", "true", "false"])
        kind = self.rng.randrange(10)
        if kind <= 1:
            return self.text(depth)
        if kind == 2:
            return self.listing(depth)
        if kind == 3:
            return self.mapping(depth)
        if kind == 4:
            return self.numeric(depth)
        if kind == 5:
            return self.logical(depth)
        if kind == 6:
            return f"(({self.any(depth - 1)}) if ({self.logical(depth - 1)}){self.pick([' else ' + self.any(depth - 1), ''])})"
        if kind == 7:
            return f"({self.mapping(depth - 1)}){self.pick(['.a', '.zip', '.get(1)', '.get(2, 3)', '.items()|list', '.name', '|' + self.pick(DICT_FILTERS)])}"
        if kind == 8:
            return self.pick(NAMES[:7] + NAMES[8:10])
        return f"({self.text(depth - 1)})|{self.pick(TEXT_FILTERS)}"

    # ---- Statements ----

    def tag(self, text):
        return "{%" + self.pick(["", "", "", "-", "+"]) + " " + text + " " + self.pick(["", "", "", "-", "+"]) + "%}"

    def output(self, expr):
        return "{{" + self.pick(["", "", "-"]) + " " + expr + " " + self.pick(["", "", "-"]) + "}}"

    def plain(self):
        return self.pick(["", " ", "\n", "\n  ", "word", " a\n", "\n\n", "x ", "  \n\t", "{ }", "{# note #}\n", "  {#- c -#} ", "é", "{#+ c #}\n"])

    def body(self, depth, in_loop=False):
        return "".join(self.plain() + self.statement(depth, in_loop) for _ in range(self.rng.randrange(1, 4))) + self.plain()

    def statement(self, depth, in_loop):
        kind = self.rng.randrange(12) if depth > 0 else 0
        inner = lambda loop=in_loop: self.body(depth - 1, loop)
        if kind == 1:
            middle = self.tag(f"elif {self.logical(2)}") + inner() if self.chance(0.3) else ""
            middle += self.tag("else") + inner() if self.chance(0.4) else ""
            return self.tag(f"if {self.logical(2)}") + inner() + middle + self.tag("endif")
        if kind in (2, 3):
            source = self.pick([self.listing(2), self.mapping(1), "text[:4]", "range(3)", "people", "d.items()", "missing"])
            names = self.pick(["x", "x", "y", "x, y"])
            condition = f" if {self.logical(1)}" if self.chance(0.2) else ""
            body = inner(True) + self.output(self.pick(["loop.index", "loop.last", "loop.revindex0", "loop.first", "loop.length", "x", "y",
                                                       "loop.cycle('o', 'e')", "loop.previtem|default('-')", "loop.nextitem is defined",
                                                       "loop.changed(x)"]))
            other = self.tag("else") + inner() if self.chance(0.2) else ""
            return self.tag(f"for {names} in {source}{condition}") + body + other + self.tag("endfor")
        if kind == 4:
            return self.tag(f"set {self.pick(['x', 'y'])} = {self.any(2)}")
        if kind == 5:
            return self.tag(f"set {self.pick(['x', 'y'])}{self.pick(['', ' | upper', ' | trim'])}") + inner() + self.tag("endset")
        if kind == 6:
            name = self.pick(["m", "n"])
            call = self.output(f"{name}({self.pick([self.any(1), 'b=' + self.any(1), ''])})")
            return self.tag(f"macro {name}(a, b={self.any(0)})") + self.output("a") + inner(False) + self.output("b") + self.tag("endmacro") + call
        if kind == 7:
            return self.tag(f"with x = {self.any(1)}, y = {self.any(1)}") + inner() + self.tag("endwith")
        if kind == 8:
            return self.tag("filter " + self.pick(["upper", "trim", "indent(2)", "replace('a', 'b')"])) + inner() + self.tag("endfilter")
        if kind == 9 and in_loop:
            return self.tag(f"if {self.logical(1)}") + self.tag(self.pick(["break", "continue"])) + self.tag("endif")
        if kind == 10:
            return (self.tag(f"set ns = namespace(v={self.any(1)})") + self.tag(f"set ns.v = {self.any(1)}") + self.output("ns.v"))
        if kind == 11:
            return (self.tag("macro box(z)") + "[" + self.output("caller(z)") + "]" + self.tag("endmacro") + self.tag(f"call(w) box({self.any(1)})")
                    + self.output("w") + inner(False) + self.tag("endcall"))
        return self.output(self.any(3))


def templates(count, seed):
    rng = random.Random(seed)
    return [Maker(rng).body(2) for _ in range(count)]
