#!/usr/bin/env python3
"""Compares minnow's chat templates with Python's Jinja2, set up as transformers' apply_chat_template does.

Every template (those below, and those of ../shared/data where that folder is there) is rendered on every conversation,
and every line of jinja_snippets.txt on a small context; the texts must be equal, or both sides must refuse.

usage: jinja_check.py --program build/release/tests/jinja_cases [--only NAME] [--random N] [--seed S]
Exits with 77 (skipped) when python3-jinja2 is not installed.
"""
import argparse
import collections
import collections.abc
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jinja2
    import jinja2.ext
    import jinja2.sandbox
except ImportError:
    print("skipped: python3-jinja2 is not installed (apt-get install python3-jinja2)")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared" / "data"
NOW = 1_700_000_000  # 2023-11-14
FEWEST = 8  # conversations that no template refuses


class Generation(jinja2.ext.Extension):
    """{% generation %}: transformers' mark around the assistant's part."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def listed(value):
    if isinstance(value, collections.abc.Iterator):
        return list(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    # Python refuses what lazy filters give, transformers with it; minnow and llama.cpp write a list.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys, default=listed)


def environment(kind):
    env = kind(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = to_json
    env.filters["from_json"] = json.loads  # not in transformers; two DeepSeek templates want it
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW).strftime(form)
    return env


STRICT = environment(jinja2.sandbox.ImmutableSandboxedEnvironment)
# transformers refuses list.append and the like; minnow allows them, so what they give is compared with this one.
LENIENT = environment(jinja2.sandbox.SandboxedEnvironment)


def expected(template, context):
    """(text, None) or (None, error)."""
    for env in (STRICT, LENIENT):
        try:
            # A fresh copy of the context: LENIENT lets a template change it.
            return env.from_string(template).render(**json.loads(json.dumps(context))), None
        except jinja2.exceptions.SecurityError as e:
            error = e
        except Exception as e:  # whatever Python raises inside a template
            return None, f"{type(e).__name__}: {e}"
    return None, f"SecurityError: {error}"


def run_program(program, cases):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for _, template, context in cases:
            file.write(json.dumps({"template": template, "context": context, "now": NOW}) + "\n")
        file.flush()
        done = subprocess.run([program, file.name], capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        sys.exit(f"{program} failed with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.rstrip("\n").split("\n")]


# ---- Templates of our own, in the manner of the four great families ----

TEMPLATES = {
    "own-chatml": """{% for message in messages %}
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' }}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}""",
    "own-llama": """{{- bos_token }}
{%- set ns = namespace(system='', first=true) %}
{%- if messages and messages[0]['role'] == 'system' %}
    {%- set ns.system = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- endif %}
{{- "<|head|>system<|/head|>\\n\\nDate: " + strftime_now("%d %b %Y") + "\\n" }}
{%- if tools is not none and tools %}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- ns.system }}{{ "<|eot|>" }}
{%- for message in messages %}
    {%- if 'tool_calls' in message and message.tool_calls %}
        {%- if message.tool_calls | length != 1 %}
            {{- raise_exception("one call at a time, not " ~ message.tool_calls | length) }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}{{ call.arguments | tojson }}{{ "}" }}
    {%- elif message.role == 'tool' %}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
    {%- elif message.content is string %}
        {{- '<|head|>' ~ message.role ~ '<|/head|>\\n\\n' ~ message.content | trim }}
    {%- endif %}
    {{- '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\\n\\n' }}{% endif %}
""",
    "own-qwen": """{%- if tools %}
# Tools
{% for tool in tools %}
{{ tool | tojson }}
{% endfor %}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1, searching=true) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "assistant" %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thought = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- content }}
        {%- for call in message.tool_calls or [] %}
            {%- set f = call.function or call %}
            {{- '\\n<tool_call>' ~ f.name ~ (f.arguments if f.arguments is string else f.arguments | tojson) }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or loop.previtem.role != "tool" %}{{ '<|im_start|>user' }}{% endif %}
        {{- '\\n<tool_response>\\n' }}{{ content }}{{ '\\n</tool_response>' }}
        {%- if loop.last or loop.nextitem.role != "tool" %}{{ '<|im_end|>\\n' }}{% endif %}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}""",
    "own-gemma": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set prefix = '' -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (prefix if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}
""",
    "own-macros": """{% macro part(p, indent=0) -%}
{{ '  ' * indent }}{% if p is mapping %}{
{% for k, v in p | dictsort %}
{{ '  ' * (indent + 1) }}{{ k }}: {{ part(v, indent + 1) | trim }}
{% endfor %}
{{ '  ' * indent }}}{% elif p is string %}{{ p | upper }}{% elif p is iterable %}[{% for x in p %}{{ part(x) }}{{ ', ' if not loop.last }}{% endfor %}]{% else %}{{ p }}{% endif %}
{%- endmacro %}
{% macro boxed() %}[{{ caller() }}]{% endmacro %}
{% for message in messages %}
{% if loop.index > 5 %}{% break %}{% endif %}
{% call boxed() %}{{ message.role | title }}{% endcall %}
{% set body %}{% generation %}{{ part(message) }}{% endgeneration %}{% endset %}
{{ body | indent(2, first=true) }}
{% endfor %}
{{ messages | map(attribute='role') | unique | join('|') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}""",
}

# ---- Conversations ----

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place.\nIn plain words.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name, e.g. \"Zürich\""},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 14},
                "options": {
                    "type": "object",
                    "properties": {"wind": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}}},
                    "required": ["wind"],
                    "additionalProperties": False,
                },
            },
            "required": ["city"],
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Looks things up",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        "return": {"type": "string"},
    },
}
PLAIN = {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


def call(name, arguments, number=1):
    return {"id": f"call{number:05d}", "type": "function", "function": {"name": name, "arguments": arguments}}


def result(name, text, number=1):
    return {"role": "tool", "name": name, "tool_call_id": f"call{number:05d}", "content": text}


CALL_TURNS = [
    user("Weather in Bern?"),
    assistant("", tool_calls=[call("get_weather", {"city": "Bern", "options": {"wind": True, "tags": ["a", "b"]}})]),
    result("get_weather", '{"t": 21.5, "sky": "clear"}'),
]


# Some templates refuse whatever lacks these variables, or tools whose schemas say more or less than this one's.
DEMANDED = {
    "tools": [{
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather at a place.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name"},
                    "days": {"type": "integer", "description": "How many"},
                    "tags": {"type": "array", "items": {"type": "string"}, "description": "Which"},
                },
                "required": ["city"],
            },
        },
    }],
    "functions": '[{"name": "get_weather"}]',
    "datetime": "2024-01-01",
}
DEMANDING_CHATS = {
    "user": [user("Hello")],
    "system": [system(" Be brief. "), user("Hello")],
    "turns": [system("S"), user("One"), assistant("Two"), user("Three")],
    "call": [user("Weather?"), assistant("", tool_calls=[call("get_weather", {"city": "Zürich"})])],
    "result": [*CALL_TURNS],
    "answered": [*CALL_TURNS, assistant("Clear."), user("Thanks")],
    "calls": [
        system("S"),
        user("Both?"),
        assistant("I look.", tool_calls=[call("get_weather", {"city": "A"}, 1), call("get_weather", {"city": "B", "days": 2}, 2)]),
        result("get_weather", "rain", 1),
        result("get_weather", "sun", 2),
        assistant("Rain, sun."),
        user("Again"),
    ],
    "empty": [system(""), user(""), assistant(""), user("")],
    "unicode": [system("Größe 日本語"), user("naïve 👩‍👩‍👧 <&>\n\t{{ x }}"), assistant("ok ✓"), user("  \n é ")],
    "thinking": [user("2+2?"), assistant("<think>\nAdd.\n</think>\n\n4", reasoning_content="Add."), user("3+3?")],
}


def conversations():
    yield "user", {"messages": [user("Hello")]}
    yield "system-user", {"messages": [system("Be brief. "), user(" Hello ")]}
    yield "user-empty", {"messages": [user("")]}
    yield "user-unicode", {"messages": [system("日本語"), user("naïve 👩‍👩‍👧 <&>")], "enable_thinking": False}
    yield "turns", {"messages": [user("One"), assistant("Two"), user("Three")]}
    yield "no-prompt", {
        "messages": [system("S"), user("One"), assistant("Two"), user("Three"), assistant("Four")],
        "add_generation_prompt": False,
    }
    yield "tools", {"messages": [system("S"), user("Weather?")], "tools": [WEATHER, SEARCH, PLAIN]}
    yield "tools-no-system", {"messages": [user("Weather?")], "tools": [WEATHER]}
    yield "call", {"messages": CALL_TURNS, "tools": [WEATHER]}
    yield "call-answered", {
        "messages": [system("S"), *CALL_TURNS, assistant("Clear, 21.5 degrees."), user("Thanks")],
        "tools": [WEATHER, SEARCH],
    }
    yield "call-text", {
        "messages": [
            user("Weather?"),
            assistant("Let me see", tool_calls=[call("get_weather", '{"city": "Bern", "days": 3}')]),
            result("get_weather", "sunny"),
        ],
        "tools": [WEATHER],
    }
    yield "calls", {
        "messages": [
            user("Both?"),
            assistant(None, tool_calls=[call("get_weather", {"city": "A"}, 1), call("search", {"query": "B"}, 2)]),
            result("get_weather", "rain", 1),
            result("search", "nothing", 2),
            assistant("Rain, nothing."),
            user("Again"),
        ],
        "tools": [WEATHER, SEARCH],
    }
    yield "thinking", {
        "messages": [user("2+2?"), assistant("4", reasoning_content="Add them."), user("3+3?")],
        "enable_thinking": True,
        "thinking": True,
    }
    yield "thinking-last", {
        "messages": [user("2+2?"), assistant("4", reasoning_content="Add them.", thinking="Add!")],
        "enable_thinking": True,
        "thinking": True,
        "add_generation_prompt": False,
    }
    yield "not-thinking", {
        "messages": [user("2+2?"), assistant("<think>\nhm\n</think>\n\n4"), user("3+3?")],
        "enable_thinking": False,
        "thinking": False,
    }
    yield "thought-and-call", {
        "messages": [
            user("Weather?"),
            assistant("<think>call it</think>", tool_calls=[call("get_weather", {"city": "Ö", "n": [1, 2.5, None]})]),
            result("get_weather", "ok"),
            assistant("Done", reasoning_content="so"),
        ],
        "tools": [WEATHER],
        "enable_thinking": True,
        "add_generation_prompt": False,
    }
    yield "continued", {
        "messages": [system("S"), user("Count."), assistant("One, two,")],
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    yield "continued-in-thought", {
        "messages": [user("2+2?"), assistant("<think>\nAdd th")],
        "enable_thinking": True,
        "thinking": True,
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    yield "continued-after-call", {
        "messages": [*CALL_TURNS, assistant("Clear, ")],
        "tools": [WEATHER],
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    yield "many-turns", {
        "messages": [system("S"), *(m for n in range(6) for m in (user(f"Question {n}"), assistant(f"Answer {n}"))), user("Last")],
    }
    yield "empty", {"messages": [system(""), user(""), assistant(""), user("")]}
    yield "unicode", {
        "messages": [system("Größe „ß“ 日本語"), user("naïve café 👩‍👩‍👧 \u2028\u00a0'\"<&>\\n\t{{ x }}"), assistant("ok ✓"), user("  \n é ")]
    }
    yield "parts", {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image"}, {"type": "text", "text": "that"}]},
            assistant([{"type": "text", "text": "I see"}]),
            user("Good"),
        ]
    }
    yield "null-content", {"messages": [user("a"), {"role": "assistant", "content": None}, user("b")]}
    yield "not-alternating", {"messages": [user("a"), user("b"), assistant("c"), assistant("d")]}
    yield "assistant-first", {"messages": [assistant("c"), user("b")]}
    yield "late-system", {"messages": [user("a"), system("s"), user("b")]}
    yield "developer", {"messages": [{"role": "developer", "content": "d"}, user("b")], "reasoning_effort": "high"}
    yield "unknown-role", {"messages": [{"role": "robot", "content": "x"}]}
    yield "documents", {
        "messages": [user("What is it?")],
        "documents": [{"title": "T", "text": "body", "doc_id": 1}, {"title": "U", "text": "more", "doc_id": 2}],
        "citation_mode": "accurate",
        "controls": {"length": "short"},
    }
    yield "builtin-tools", {
        "messages": [user("Sum?")],
        "tools": [SEARCH],
        "builtin_tools": ["brave_search", "code_interpreter"],
        "tools_in_user_message": True,
        "date_string": "1 Jan 2024",
    }
    yield "no-messages", {"messages": []}
    for name, messages in DEMANDING_CHATS.items():
        yield f"demanding-{name}", {"messages": messages, **DEMANDED}
    for path in sorted((SHARED / "chat-templates" / "minja-contexts").glob("*.json")):
        yield f"minja-{path.stem}", json.loads(path.read_text(encoding="utf-8"))


def full_context(context):
    """What apply_chat_template passes besides."""
    base = {"tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
    return {**base, **context}


def shared_templates():
    folder = SHARED / "chat-templates"
    for path in sorted(folder.glob("llama.cpp/*.jinja")) + sorted(SHARED.glob("tokenizers/*/chat_template.jinja")):
        yield f"{path.parent.name}/{path.stem}", path.read_text(encoding="utf-8")
    for path in sorted(SHARED.glob("tokenizers/*/tokenizer_config.json")):
        template = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
        if isinstance(template, str):
            yield f"{path.parent.name}/tokenizer_config", template
    table = folder / "ollama-testdata" / "templates.jsonl"
    if table.exists():
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
            for name, template in json.loads(line).items():
                yield f"ollama-{number}-{name}", template


SNIPPET_CONTEXT = {
    "none_value": None,
    "d": {"a": 1, "items": 2, "nested": {"k": [1, {"z": None}]}},
    "l": [3, 1, 2],
    "people": [{"name": "Zoë", "age": 40}, {"name": "adam", "age": 7}, {"name": "Bo", "age": 7}],
    "text": "Grüße an alle,\nline two  \n\n<b>&'\"",
    "f": 2.5,
    "t": True,
}


def all_cases():
    for number, snippet in enumerate((HERE / "jinja_snippets.txt").read_text(encoding="utf-8").split("\n===\n"), 1):
        yield f"snippet {number}", snippet, SNIPPET_CONTEXT
    chats = [(name, full_context(context)) for name, context in conversations()]
    for name, template in [*TEMPLATES.items(), *shared_templates()]:
        for chat, context in chats:
            yield f"{name} on {chat}", template, context


def report(name, template, want, got):
    text, error = want
    print(f"DIFFERS: {name}\n  python: {error if text is None else repr(text)}")
    print(f"  minnow: {got.get('error') or repr(got.get('output'))}")
    if len(template) < 1500:
        print(f"  template: {template!r}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--random", type=int, default=300, help="number of random templates")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    cases = list(all_cases())
    if options.random:
        import jinja_random
        cases += [(f"random {i}", t, SNIPPET_CONTEXT) for i, t in enumerate(jinja_random.templates(options.random, options.seed))]
    cases = [case for case in cases if options.only in case[0]]
    answers = run_program(options.program, cases)
    assert len(answers) == len(cases), "an answer is missing"
    differing, refused = 0, 0
    rendered = collections.Counter()  # of each template that is rendered on conversations
    for (name, template, context), got in zip(cases, answers):
        want = expected(template, context)
        refused += want[0] is None
        if " on " in name:
            rendered[name.split(" on ")[0]] += want[0] is not None
        if got.get("output") != want[0]:
            differing += 1
            if differing <= 20:
                report(name, template, want, got)
    where = "with" if SHARED.exists() else "without"
    print(f"{len(cases)} renderings ({where} shared data), {refused} refused by both, {differing} differ")
    if not rendered:
        sys.exit(1 if differing else 0)
    few = {name: n for name, n in rendered.items() if n < FEWEST}
    print(f"{len(rendered)} templates on {len(list(conversations()))} conversations, at least {min(rendered.values())} of them rendered")
    for name, n in few.items():
        print(f"{name}: only {n} conversations are rendered, at least {FEWEST} should be")
    sys.exit(1 if differing or few else 0)


if __name__ == "__main__":
    main()
