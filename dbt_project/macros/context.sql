{#- What the build is about: the lender, its zone and cut-off, and the days. The warehouse plugin
    fills `pinned.build_lenders` and `pinned.build_days` from the context of the run. -#}

{% macro build_lenders() -%}
    pinned.build_lenders
{%- endmacro %}

{% macro build_days() -%}
    pinned.build_days
{%- endmacro %}

{#- The lender as an expression: the variable, or the first one of the context. -#}
{% macro lender_id() -%}
    {%- if var('lender_id') -%}
        '{{ var('lender_id') }}'
    {%- else -%}
        (select min(candidates.lender_id) from {{ build_lenders() }} as candidates)
    {%- endif -%}
{%- endmacro %}

{#- One row: lender_id, time_zone, daily_cutoff (HH:MM:SS), known_through (the last closed day). -#}
{% macro lender() -%}
    (
        select known.lender_id, known.time_zone, known.daily_cutoff, known.known_through
        from {{ build_lenders() }} as known
        where known.lender_id = {{ lender_id() }}
    )
{%- endmacro %}

{#- The days asked for, one row each: `as_of_date`. -#}
{% macro asked_days() -%}
    {%- set days = var('as_of_dates') or ([var('as_of_date')] if var('as_of_date') else []) -%}
    {%- if days -%}
        (
            {%- for day in days %}
            {% if not loop.first %}union {% endif %}select cast('{{ day }}' as date) as as_of_date
            {%- endfor %}
        )
    {%- else -%}
        (
            select asked.as_of_date
            from {{ build_days() }} as asked
            where asked.lender_id = {{ lender_id() }}
        )
    {%- endif -%}
{%- endmacro %}

{#- The lender's zone as text, read while compiling: conversion to a constant zone is seven times
    cheaper than to a zone in a column. Without a lender there are no rows, and any zone will do. -#}
{% macro lender_zone() -%}
    {%- if not execute -%}
        {{ return('UTC') }}
    {%- endif -%}
    {%- set found = run_query('select time_zone from ' ~ lender() ~ ' as lender').columns[0].values() -%}
    {{ return(found[0] if found else 'UTC') }}
{%- endmacro %}
