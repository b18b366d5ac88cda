{#- Where DuckDB and Spark write dates differently. Windows are calendar days on DATE values, never
    differences of timestamps (engines count those differently). -#}

{#- Whole days from `earlier` to `later`, both DATE. -#}
{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between', 'paymentor')(earlier, later)) }}
{%- endmacro %}

{% macro default__days_between(earlier, later) -%}
    cast(({{ later }}) - ({{ earlier }}) as int)
{%- endmacro %}

{% macro spark__days_between(earlier, later) -%}
    datediff({{ later }}, {{ earlier }})
{%- endmacro %}

{#- The DATE `days` days after `day`; negative goes back. -#}
{% macro plus_days(day, days) -%}
    {{ return(adapter.dispatch('plus_days', 'paymentor')(day, days)) }}
{%- endmacro %}

{% macro default__plus_days(day, days) -%}
    cast(({{ day }}) + cast({{ days }} as int) as date)
{%- endmacro %}

{% macro spark__plus_days(day, days) -%}
    date_add({{ day }}, {{ days }})
{%- endmacro %}

{#- Local wall time in `zone` (an expression) of a UTC timestamp. -#}
{% macro utc_to_local(instant, zone) -%}
    {{ return(adapter.dispatch('utc_to_local', 'paymentor')(instant, zone)) }}
{%- endmacro %}

{% macro default__utc_to_local(instant, zone) -%}
    timezone({{ zone }}, timezone('UTC', {{ instant }}))
{%- endmacro %}

{% macro spark__utc_to_local(instant, zone) -%}
    cast(from_utc_timestamp({{ instant }}, {{ zone }}) as timestamp_ntz)
{%- endmacro %}

{#- UTC timestamp of a local wall time in `zone` (an expression). -#}
{% macro local_to_utc(local, zone) -%}
    {{ return(adapter.dispatch('local_to_utc', 'paymentor')(local, zone)) }}
{%- endmacro %}

{% macro default__local_to_utc(local, zone) -%}
    timezone('UTC', timezone({{ zone }}, {{ local }}))
{%- endmacro %}

{% macro spark__local_to_utc(local, zone) -%}
    cast(to_utc_timestamp({{ local }}, {{ zone }}) as timestamp_ntz)
{%- endmacro %}

{#- The calendar day of a UTC instant in the lender's zone. -#}
{% macro lender_day(instant) -%}
    cast({{ utc_to_local(instant, "'" ~ lender_zone() ~ "'") }} as date)
{%- endmacro %}

{#- A wall time on a DATE: `time_text` is an expression that yields HH:MM:SS. -#}
{% macro day_at(day, time_text) -%}
    cast(concat(cast({{ day }} as string), ' ', {{ time_text }}) as timestamp)
{%- endmacro %}

{#- Distinct values of a group, sorted and joined by semicolons; null when there is none. -#}
{% macro joined_sorted(expression) -%}
    {{ return(adapter.dispatch('joined_sorted', 'paymentor')(expression)) }}
{%- endmacro %}

{% macro default__joined_sorted(expression) -%}
    nullif(array_to_string(list_sort(list_distinct(list({{ expression }}))), ';'), '')
{%- endmacro %}

{% macro spark__joined_sorted(expression) -%}
    nullif(array_join(array_sort(collect_set({{ expression }})), ';'), '')
{%- endmacro %}

{#- Full calendar months from `earlier` to `later`, both DATE; a month counts once its day is reached. -#}
{% macro full_months_between(earlier, later) -%}
    (extract(year from {{ later }}) - extract(year from {{ earlier }})) * 12
    + extract(month from {{ later }}) - extract(month from {{ earlier }})
    - case when extract(day from {{ later }}) < extract(day from {{ earlier }}) then 1 else 0 end
{%- endmacro %}
