{#- For each day, of every key, the version that was the newest one known at its cut-off: all columns
    of `relation`, and `as_of_date`. Which of them hold on the day is for the model that asks. -#}
{% macro versions_as_of(relation, keys) -%}
    (
        select days.as_of_date, versions.*
        from {{ ref('int_as_of_dates') }} as days
        inner join (
            select rows_as_delivered.*, {{ known_interval(keys) }}
            from {{ relation }} as rows_as_delivered
        ) as versions on {{ known_at('versions', 'days.cutoff_utc') }}
    )
{%- endmacro %}

{#- Condition: a listing with `listed_date` and `delisted_date` stands on the day. -#}
{% macro is_listed(listings) -%}
    {{ listings }}.listed_date <= {{ listings }}.as_of_date
    and (
        {{ listings }}.delisted_date is null
        or {{ listings }}.delisted_date > {{ listings }}.as_of_date
    )
{%- endmacro %}
