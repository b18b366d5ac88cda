{#- Point in time. A source is an append-only log of versions; a day reads, of every key, the version
    that was the newest one at its cut-off, and no row whose business date lies after the day. -#}

{#- Columns that say when a version was the newest: `known_from` up to, excluding, `known_until`.
    Two versions known at the same instant: the one later in its file wins; the other has an empty
    interval and is never read. -#}
{% macro known_interval(keys) -%}
    _known_at as known_from,
    cast(
        lead(_known_at) over (
            partition by {{ keys | join(', ') }}
            order by _known_at asc nulls last, _file_id asc nulls last, _row_number asc nulls last
        ) as timestamp
    ) as known_until
{%- endmacro %}

{#- Condition: the version was the newest one at the cut-off. -#}
{% macro known_at(version, cutoff) -%}
    {{ version }}.known_from <= {{ cutoff }}
    and ({{ version }}.known_until is null or {{ version }}.known_until > {{ cutoff }})
{%- endmacro %}

{#- Condition: `day` lies in the window of `length` calendar days that ends on `as_of_date`. -#}
{% macro in_window(day, as_of_date, length) -%}
    {{ day }} between {{ plus_days(as_of_date, 1 - length) }} and {{ as_of_date }}
{%- endmacro %}

{#- Lengths of the windows in days. -#}
{% macro windows() -%}
    {{ return([7, 30, 90, 180]) }}
{%- endmacro %}

{#- The shortest window that a row of this age lies in, null when it is older than all: rows are
    added up once by disjoint spans, and a window is the sum of the spans up to its length. -#}
{% macro span_days(age_days) -%}
    case
        {%- for length in windows() %}
        when {{ age_days }} < {{ length }} then {{ length }}
        {%- endfor %}
    end
{%- endmacro %}

{#- The sum over a window of rows that have `span_days`; 0 when there is none. -#}
{% macro sum_in_window(expression, length) -%}
    sum(case when span_days <= {{ length }} then {{ expression }} else 0 end)
{%- endmacro %}
