{#- Kinds of credit that have columns of their own; every other kind is `other`. -#}
{% macro credit_products() -%}
    {{ return(['personal_loan', 'credit_card', 'auto_loan', 'two_wheeler', 'home_loan']) }}
{%- endmacro %}

{% macro product_or_other(product) -%}
    case
        when {{ product }} in ('{{ credit_products() | join("', '") }}') then {{ product }}
        else 'other'
    end
{%- endmacro %}

{#- The worst month of the newest `months` of a history string: 0 to 6 months late, 7 for collection,
    foreclosure, surrender or repossession (G, H, J, K), 8 for charge-off (L); a zero balance (E) is
    0, months without data (B, D) say nothing, and a string that says nothing is null. -#}
{% macro worst_status(history, months) -%}
    {%- set newest = 'substring(' ~ history ~ ', 1, ' ~ months ~ ')' -%}
    case
        when {{ newest }} like '%L%' then 8
        when {{ newest }} like '%G%' or {{ newest }} like '%H%'
            or {{ newest }} like '%J%' or {{ newest }} like '%K%' then 7
        {%- for late in [6, 5, 4, 3, 2, 1] %}
        when {{ newest }} like '%{{ late }}%' then {{ late }}
        {%- endfor %}
        when {{ is_ever_clear(history, months) }} then 0
    end
{%- endmacro %}

{#- Condition: one of the newest `months` of a history string was paid as agreed or had no balance. -#}
{% macro is_ever_clear(history, months) -%}
    (
        substring({{ history }}, 1, {{ months }}) like '%0%'
        or substring({{ history }}, 1, {{ months }}) like '%E%'
    )
{%- endmacro %}

{#- A history string as digits on the scale of `worst_status`; B and D stay, since they say nothing. -#}
{% macro status_digits(history) -%}
    translate({{ history }}, 'EGHJKL', '077778')
{%- endmacro %}

{#- Over the 12 newest months that follow a month 1 to 6 late: how many satisfy `next_month`, a
    condition on `{newer}` and `{older}`, both digits. Pass '' to count them all. -#}
{% macro months_rolled(digits, next_month) -%}
    (
        {%- for month in range(1, 13) %}
        {%- set newer = 'substring(' ~ digits ~ ', ' ~ month ~ ', 1)' %}
        {%- set older = 'substring(' ~ digits ~ ', ' ~ (month + 1) ~ ', 1)' %}
        {% if not loop.first %}+ {% endif %}case
            when {{ older }} between '1' and '6' and {{ newer }} between '0' and '8'
                {%- if next_month %}
                and {{ next_month | replace('{newer}', newer) | replace('{older}', older) }}
                {%- endif %} then 1
            else 0
        end
        {%- endfor %}
    )
{%- endmacro %}

{#- What is read from each tradeline before lines are added up; `lines` has the columns of
    stg_bureau_tradelines. Most strings were never late, so that only the others are read month by
    month. -#}
{% macro tradeline_facts(lines) -%}
    (
        select
            said.*,
            {{ product_or_other('said.product') }} as product_group,
            cast(
                said.closed_date is null or said.closed_date > said.report_date as boolean
            ) as is_open,
            {%- for months in [3, 6, 12, 24] %}
            case
                when said.oldest_late > 0 then {{ worst_status('said.payment_history', months) }}
                when {{ is_ever_clear('said.payment_history', months) }} then 0
            end as worst_status_{{ months }}m,
            {%- endfor %}
            {%- for name, next_month in [
                ('late', ''), ('worse', '{newer} > {older}'), ('cured', "{newer} = '0'")
            ] %}
            case
                when said.oldest_late > 0
                    then {{ months_rolled('said.digits', next_month) }}
                else 0
            end as months_{{ name }},
            {%- endfor %}
            -- The newest month of a string is the month of the report.
            case when said.oldest_late > 0 then said.oldest_late - 1 end as first_late_months_ago,
            case
                when said.oldest_late > 0
                    then {{ full_months_between('said.opened_date', 'said.report_date') }}
                        - (said.oldest_late - 1)
            end as first_late_on_book
        from (
            select
                aged.*,
                case when aged.oldest_late > 0 then {{ status_digits('aged.payment_history') }} end
                    as digits
            from (
                select
                    delivered.*,
                    -- What is left ends with the oldest month that was late or lost.
                    length(trim(trailing '0BDE' from delivered.payment_history)) as oldest_late
                from {{ lines }} as delivered
            ) as aged
        ) as said
    )
{%- endmacro %}

{#- Lines added up: the columns that a report and a set of furnished accounts have in common. -#}
{% macro tradeline_totals() -%}
    cast(count(case when is_open then 1 end) as int) as open_tradelines,
    {{ money('sum(case when is_open then sanctioned_amount else 0 end)') }} as total_sanctioned,
    {{ money('sum(case when is_open then current_balance else 0 end)') }} as total_balance,
    {{ money('sum(case when is_open then overdue_amount else 0 end)') }} as bureau_overdue,
    {{ money('sum(case when is_open and credit_limit > 0 then current_balance end)') }}
        as revolving_balance,
    {{ money('sum(case when is_open and credit_limit > 0 then credit_limit end)') }}
        as revolving_limit,
    {{ money('sum(case when is_open and not is_own_account then emi_amount else 0 end)') }}
        as other_emi_monthly,
    {%- for months in [3, 6, 12, 24] %}
    cast(max(worst_status_{{ months }}m) as int) as worst_status_{{ months }}m,
    {%- endfor %}
    {{ money('min(case when is_open then current_balance end)') }} as min_credit_balance,
    {{ money('max(case when is_open then current_balance end)') }} as max_credit_balance,
    {{ money('round(median(case when is_open then cast(current_balance as double) end), 2)') }}
        as median_credit_balance,
    {%- for product in credit_products() + ['other'] %}
    cast(count(case when is_open and product_group = '{{ product }}' then 1 end) as int)
        as open_{{ product }}_lines,
    {%- endfor %}
    cast(min(opened_date) as date) as oldest_line_opened_date,
    cast(max(opened_date) as date) as newest_line_opened_date,
    cast(sum(months_late) as int) as months_late_12m,
    cast(sum(months_worse) as int) as months_rolled_forward_12m,
    cast(sum(months_cured) as int) as months_cured_12m,
    cast(max(first_late_months_ago) as int) as first_late_months_ago,
    cast(min(first_late_on_book) as int) as first_delinquency_month_on_book
{%- endmacro %}

{#- The columns of `tradeline_totals`. -#}
{% macro tradeline_columns() -%}
    {%- set columns = [
        'open_tradelines', 'total_sanctioned', 'total_balance', 'bureau_overdue',
        'revolving_balance', 'revolving_limit', 'other_emi_monthly',
        'worst_status_3m', 'worst_status_6m', 'worst_status_12m', 'worst_status_24m',
        'min_credit_balance', 'max_credit_balance', 'median_credit_balance',
        'oldest_line_opened_date', 'newest_line_opened_date',
        'months_late_12m', 'months_rolled_forward_12m', 'months_cured_12m',
        'first_late_months_ago', 'first_delinquency_month_on_book',
    ] -%}
    {%- for product in credit_products() + ['other'] -%}
        {%- do columns.append('open_' ~ product ~ '_lines') -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{#- Enquiries by window, over all products and by each: `enquiries_7d`, `home_loan_enquiries_7d`, … -#}
{% macro enquiry_columns() -%}
    {%- set columns = [] -%}
    {%- for length in [7, 30, 90, 180] -%}
        {%- do columns.append('enquiries_' ~ length ~ 'd') -%}
        {%- for product in credit_products() + ['other'] -%}
            {%- do columns.append(product ~ '_enquiries_' ~ length ~ 'd') -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
