"""Templates and what transformers makes of them: writes tests/data/templates/cases.json.

usage: make_fixtures.py OUT.json        needs transformers 4.57.6 and jinja2
Each case is {"name", "template", "variables", "text"} or, when Jinja refuses, {"name", "template", "variables", "error": true}.
The chat templates are those that public models of their kind use, in full or in the shape that matters.
"""
import json
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

USER = [{"role": "user", "content": "  Who are you?\n"}]
TALK = [{"role": "system", "content": "Be brief. 你好 \"q\" <b>"}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello!"}, {"role": "user", "content": "And 2+2?"}]
ODD = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}]}]
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds é", "parameters": {
    "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}}}]
CALLS = [{"role": "user", "content": "2+3?"},
         {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 3.5}}}]},
         {"role": "tool", "name": "add", "content": "5"}]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

CHATML = """{% for message in messages %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
SMOLLM2 = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""
LLAMA3 = """{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}"""
LLAMA31 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message + builtin tools #}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{%- if builtin_tools is defined %}
    {{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\\n\\n"}}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions." }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}

{#- Custom tools are passed in a user message with some extra guidance #}
{%- if tools_in_user_message and not tools is none %}
    {#- Extract the first user message so we can plug it in here #}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there's no first user message!") }}
{%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot_id|>"}}
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {%- if builtin_tools is defined and tool_call.name in builtin_tools %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
            {{- "<|python_tag|>" + tool_call.name + ".call(" }}
            {%- for arg_name, arg_val in tool_call.arguments | items %}
                {{- arg_name + '="' + arg_val + '"' }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- endif %}
                {%- endfor %}
            {{- ")" }}
        {%- else  %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
            {{- '{"name": "' + tool_call.name + '", ' }}
            {{- '"parameters": ' }}
            {{- tool_call.arguments | tojson }}
            {{- "}" }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
MISTRAL = """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"""
MISTRAL3 = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
            {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" and message.content %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- endif %}
{%- endfor %}
"""
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}"""
GEMMA3 = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
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
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
"""
QWEN25 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
PHI3 = """{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"""
DEEPSEEK = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<｜User｜>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}{% if add_generation_prompt and not ns.is_tool %}{{'<｜Assistant｜><think>\\n'}}{% endif %}"""
GENERATION = """{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}{{ m.role|upper ~ ': ' ~ m.content|trim }}
{% endif %}{% endfor %}"""
MACROS = """{%- macro render(message, sep='|') -%}
  {{ message.role }}{{ sep }}{{ message.content if message.content is string else message.content|map(attribute='text')|join('') }}
{%- endmacro -%}
{%- for m in messages -%}
  {{ render(m) }};{{ render(m, sep=' -> ') }}
{%- endfor %}
"""
CHATS = {"chatml": CHATML, "smollm2": SMOLLM2, "llama2": LLAMA2, "llama3": LLAMA3, "llama3.1": LLAMA31, "mistral": MISTRAL, "mistral3": MISTRAL3,
         "zephyr": ZEPHYR, "gemma": GEMMA, "gemma3": GEMMA3, "qwen2.5": QWEN25, "qwen3": QWEN3, "phi3": PHI3, "deepseek": DEEPSEEK,
         "generation": GENERATION, "macros": MACROS}
TALKS = {"user": dict(messages=USER), "talk": dict(messages=TALK), "no prompt": dict(messages=TALK, add_generation_prompt=False),
         "odd": dict(messages=ODD), "parts": dict(messages=PARTS), "tools": dict(messages=USER, tools=TOOLS), "calls": dict(messages=CALLS, tools=TOOLS),
         "thinking off": dict(messages=USER, enable_thinking=False)}

# Small pieces: one expression or statement each.
PIECES = r"""
{{ 1 + 2 * 3 - 4 // 3 }} {{ 7 % 3 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 3 }} {{ 1 / 4 }} {{ 7.0 }} {{ 1e20 }} {{ 0.1 + 0.2 }} {{ 2 ** -1 }}
{{ 'a' ~ 1 ~ none ~ true ~ [1, 'x', "it's", none] ~ {'k': 'v', 'n': {}} }}
{{ (1, 'a')|length }} {{ ()|length }} {{ [] }} {{ {} }}
{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'häß'[1:] }}{{ 'abc'[::-1] }}{{ [1,2,3][1:] }}{{ [1,2,3][:-1] }}{{ [1,2,3,4][::2] }}{{ 'abc'[5:] }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 'a' in 'abc' }} {{ 'x' not in ['x'] }} {{ 'k' in {'k': 1} }} {{ 1 == 1.0 }} {{ 'a' == 1 }} {{ none == none }} {{ true == 1 }}
{{ not true or false and x }} {{ 'yes' if missing else 'no' }} {{ missing }} {{ ('a' if false) }}| {{ missing is defined }} {{ missing or 'd' }}
{{ missing.attribute }}
{{ missing['a'] }}
{{ missing() }}
{{ {'a': 1}.b is undefined }} {{ {'a': {'b': [1, {'c': 5}]}}.a.b[1].c }} {{ [1][7] is undefined }}
{{ '  a b '|trim }}|{{ 'aXbX'|replace('X', '-') }}|{{ 'hello World'|capitalize }}|{{ "it's a dog-house"|title }}|{{ 'ÄÖ'|lower }}{{ 'straße'|upper }}
{{ [3,1,2]|sort }} {{ [3,1,2]|sort(reverse=true) }} {{ ['b','A','c']|sort }} {{ [1,2]|first }} {{ [1,2]|last }} {{ [1,2,3]|length }} {{ 'häß'|length }} {{ {'a':1}|count }}
{{ [1,2,2,3]|unique|list }} {{ [1,2,3]|sum }} {{ [1,2]|join(', ') }} {{ 'abc'|list }} {{ [1,2]|reverse|list }} {{ 'abc'|reverse }}
{{ {'b': 1, 'a': 'é"<&>\n\t'}|tojson }} {{ [1, 2.5, none, true, []]|tojson }} {{ {'b': 1, 'a': [1, {}]}|tojson(indent=2) }} {{ {'b':1,'a':2}|tojson(sort_keys=true) }} {{ 'é😀'|tojson(ensure_ascii=true) }}
{{ missing|default('d') }} {{ ''|default('d', true) }} {{ none|default('d') }} {{ missing|d }}| {{ 'x'|default('y') }}
{{ '12'|int + 1 }} {{ '3.7'|float }} {{ 3.7|int }} {{ 'x'|int }} {{ -3|abs }} {{ 2.5|round }} {{ 3.14159|round(2) }} {{ true|string }} {{ 5|string + '!' }}
{{ {'a': 1, 'b': 2}|items|map('join', '=')|list }} {{ {'b': 1, 'a': 2}|dictsort|map('first')|list }} {{ {'a': 1}.items()|length }} {{ {'a': 1}.get('b', 7) }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.keys()|list }} {{ {'a': 1}.values()|list }}
{{ [{'r': 'u', 'n': 1}, {'r': 'a', 'n': 2}]|selectattr('r', 'equalto', 'u')|list }} {{ [{'r': 1}, {}]|selectattr('r')|list }} {{ [{'r': 'u'}, {'r': 'a'}]|rejectattr('r', 'eq', 'u')|map(attribute='r')|list }} {{ [1, 2, 3]|select('odd')|list }} {{ [1, 2, 3]|reject('gt', 1)|list }} {{ ['a ', 'b']|map('trim')|map('upper')|join }}
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a.b.c'.rsplit('.', 1) }} {{ 'xxaxx'.strip('x') }} {{ 'xya'.lstrip('yx') }} {{ 'ab\n'.rstrip() }}|{{ 'Abc'.startswith('Ab') }} {{ 'Abc'.endswith(('x', 'bc')) }} {{ ', '.join(['a', 'b']) }} {{ 'aXa'.replace('a', 'b', 1) }} {{ 'abcabc'.count('bc') }} {{ 'häb'.find('b') }} {{ '12'.isdigit() }} {{ 'a\nb'.splitlines() }} {{ 'hello there'.title() }}
{{ 5 is number }} {{ 5 is integer }} {{ 5.0 is float }} {{ 'a' is string }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is iterable }} {{ 4 is even }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ none is none }} {{ none is not none }} {{ true is true }} {{ false is boolean }} {{ 3 is in [3] }} {{ 3 is eq 3 }} {{ 5 is not string }} {{ 3 is ne(4) and 2 is lt 3 }}
{% for i in range(3) %}{{ i }}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }};{% endfor %}{% for i in [] %}x{% else %}empty{% endfor %}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ', ' if not loop.last }}{% endfor %}{% for i in range(10, 0, -3) if i > 3 %}[{{ i }}/{{ loop.length }}]{% endfor %}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.previtem if loop.previtem is defined else 'none' }}<{{ x }}>{{ loop.nextitem if not loop.last else 'end' }} {% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}{% set ns = namespace(n=0, l=[]) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% set ns.l = ns.l + [i] %}{% endfor %} {{ ns.n }} {{ ns.l }}
{% set a, b = 1, [2, 3] %}{{ a }}{{ b }}{% set t %}block {{ a }}{% endset %}{{ t|upper }}{% filter upper %}abc{{ a }}{% endfilter %}
{% macro m(a, b='x', c=none) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, 2, 3) }}{{ m(b=1, a=2) }}{{ m() }}{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% if false %}a{% elif 1 %}b{% else %}c{% endif %}{% if [] %}x{% elif '' %}y{% else %}z{% endif %}{# comment {{ x }} #}{%- if true -%}   t   {%- endif -%}  .
{{ "a\n\t\"\\\u00e9\x41" }}{{ 'it\'s' }}{{ "a" "b" }}{{ '{{' }}{{ '%}' }}
{{ 'a' + 1 }}
{{ 1 + missing }}
{{ 'a' < 1 }}
{{ 1 // 0 }}
{{ [1] + [2] }}{{ 'ab' * 3 }}{{ 1 if true else 2 }}{{ 1_000 }}{{ true and 'x' or 'y' }}{{ (1 if 0 else 2) + 1 }}{{ -2 ** 2 }}{{ not 1 == 2 }}{{ 'a' ~ 'b' == 'ab' }}{{ 1 + 2 ~ 3 }}{{ [1,2,3]|length - 1 }}{{ 'a'|upper ~ 'b' }}
{{ raise_exception('no') }}
{{ nothing('x') }}
{{ 'a'|nothing }}
{{ 1 is nothing }}
{% nothing %}
{% if true %}
{{ 'a }}
{{ 1 +
{{ dict(a=1, b=2) }}{{ 'line1\nline2'|indent(2) }}{{ 'l1\nl2'|indent(2, true) }}{{ '<a href="x">'|escape }}{{ 'x'|safe }}
{{ messages[0].content.strip() }}
{{ [[1, 2], [3, 4]][1][0] }}{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}
{{ bos_token }}{{ eos_token is defined and eos_token }}{{ '%s' }}{{ 'x' in missing }}
{%- set x = 'a' -%}
"""
BLANKS = ["  {% if true %}\n  a\n  {% endif %}\n b", "a {%- if true %} b {% endif -%}  c\n", "\n\n{% set x = 1 %}\n\n{{ x }}\n\n", "a\n  {#- c -#}\n b", "{% if true +%}\nx{% endif %}", "x\n   {%+ if true %}y{% endif %}",
          "{{ 'a' -}}   b {{- 'c' }}", "a\n{{ 1 }}\nb\n", "\t{% for i in [1,2] %}\n\t- {{ i }}\n\t{% endfor %}\nend", "", "{", "{{ '}}' }}", "{# x", "{{", "{%", "a{# b #}\n\nc", "{% if true %}\r\na{% endif %}\r\n", "x {% if true %}{% endif %}\ny"]


def case(name, template, variables):
    made = {"name": name, "template": template, "variables": variables}
    try:
        made["text"] = _compile_jinja_template(template).render(**variables)
    except Exception:  # whatever Jinja or Python refuses with
        made["error"] = True
    return made


def main():
    cases = [case(f"{chat}/{talk}", template, {**SPECIAL, "add_generation_prompt": True, **variables})
             for chat, template in CHATS.items() for talk, variables in TALKS.items()]
    cases += [case(piece, piece, {**SPECIAL, "messages": USER}) for piece in PIECES.strip("\n").split("\n")]
    cases += [case(repr(piece), piece, {}) for piece in BLANKS]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(cases, out, ensure_ascii=False, indent=0)
    print(len(cases), "cases,", sum("error" in c for c in cases), "of them errors")


main()
