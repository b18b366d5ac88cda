{#- Purposes (ReBIT codes) under which account-aggregator data may become features: 103 aggregated
    statement (underwriting) and 104 explicit monitoring. None of them covers marketing. -#}
{% macro aa_feature_purposes() -%}
    {{ return(['103', '104']) }}
{%- endmacro %}

{#- Spending categories that have a column of their own; every other debit is `other`. A new one goes
    to the end: published columns keep their places. -#}
{% macro spend_categories() -%}
    {{ return([
        'rent', 'utilities', 'groceries', 'cash', 'emi',
        'insurance', 'investment', 'transfer', 'card_payment', 'shopping', 'dining', 'travel',
        'health', 'education', 'entertainment', 'gambling', 'tax', 'fee',
    ]) }}
{%- endmacro %}

{#- Categories that are owed month after month whatever happens: the obligations of the ratio that
    Indian lenders call FOIR. -#}
{% macro fixed_obligations() -%}
    {{ return(['rent', 'emi', 'insurance']) }}
{%- endmacro %}

{#- The six months of 30 days before a day are columns `<series>_m0` (the newest) to `<series>_m5`,
    DOUBLE; `months` says how many of them lie wholly in the history, and the others are zero. -#}
{% macro sum_of_months(series, term) -%}
    (
        {%- for month in range(6) %}
        {%- set value = series ~ '_m' ~ month %}
        {% if not loop.first %}+ {% endif %}
        {{- term | replace('{value}', value) | replace('{month}', month | string) }}
        {%- endfor %}
    )
{%- endmacro %}

{#- Standard deviation of the months over their mean; null with fewer than three or a mean of zero. -#}
{% macro volatility_of_months(series, months) -%}
    {%- set mean = '(cast(' ~ sum_of_months(series, '{value}') ~ ' as double) / ' ~ months ~ ')' -%}
    {%- set squares -%}
        (cast({{ sum_of_months(series, '{value} * {value}') }} as double) / {{ months }})
    {%- endset -%}
    case
        when {{ months }} >= 3
            then round(
                sqrt(greatest(cast(0 as double), {{ squares }} - {{ mean }} * {{ mean }}))
                / nullif({{ mean }}, cast(0 as double)),
                6
            )
    end
{%- endmacro %}

{#- Slope of the least-squares line through the months, as a share of their mean a month; null as the
    volatility is. -#}
{% macro trend_of_months(series, months) -%}
    {%- set mean = '(cast(' ~ sum_of_months(series, '{value}') ~ ' as double) / ' ~ months ~ ')' -%}
    {%- set middle = '((cast(' ~ months ~ ' as double) - 1) / 2 - {month})' -%}
    case
        when {{ months }} >= 3
            then round(
                12 * {{ sum_of_months(series, middle ~ ' * {value}') }}
                / (cast({{ months }} as double) * ({{ months }} * {{ months }} - 1))
                / nullif({{ mean }}, cast(0 as double)),
                6
            )
    end
{%- endmacro %}
