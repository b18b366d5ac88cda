{#- Days past due at the day-end of the snapshot, inclusive: a due date that is unpaid at its own
    day-end counts 1 (RBI/2021-22/125). Recomputed from the oldest unpaid due date, so that one
    convention holds whatever the lender's system prints; without that date the lender's number. -#}
{% macro days_past_due() -%}
    case
        when overdue_amount > 0 and oldest_unpaid_due_date <= snapshot_date
            then {{ days_between('oldest_unpaid_due_date', 'snapshot_date') }} + 1
        else days_past_due
    end
{%- endmacro %}

{#- First day of the classes SMA-0, SMA-1, SMA-2 and NPA (RBI/2021-22/125: 31 March unpaid is SMA-0
    on 31 March, SMA-1 on 30 April, SMA-2 on 30 May, NPA on 29 June). -#}
{% macro npa_from_day() -%}91{%- endmacro %}

{#- Whether the newest NPA of a history has not ended: by its `npa_begun_date`, `npa_cured_date`. -#}
{% macro is_uncured_npa(history) -%}
    coalesce(
        {{ history }}.npa_begun_date
        > coalesce({{ history }}.npa_cured_date, cast('0001-01-01' as date)),
        false
    )
{%- endmacro %}

{#- `is_uncured_npa` is an expression: the account was NPA and has not been clear since. -#}
{% macro sma_class(days, is_uncured_npa) -%}
    case
        when {{ is_uncured_npa }} then 'NPA'
        when {{ days }} >= {{ npa_from_day() }} then 'NPA'
        when {{ days }} >= 61 then 'SMA-2'
        when {{ days }} >= 31 then 'SMA-1'
        when {{ days }} >= 1 then 'SMA-0'
        else 'STANDARD'
    end
{%- endmacro %}

{% macro delinquency_bucket(days) -%}
    case
        when {{ days }} >= 91 then '90+'
        when {{ days }} >= 61 then '61-90'
        when {{ days }} >= 31 then '31-60'
        when {{ days }} >= 1 then '1-30'
        else 'current'
    end
{%- endmacro %}

{#- The number of the stretch of days that a DATE lies in, counted from 1900; each is as long as an
    account keeps its last snapshot. -#}
{% macro carry_stretch(day) -%}
    cast(
        floor(
            cast({{ days_between("cast('1900-01-01' as date)", day) }} as double)
            / {{ var('snapshot_carry_days') }}
        ) as int
    )
{%- endmacro %}
