{#- Purposes (ReBIT codes) under which account-aggregator data may become features: 103 aggregated
    statement (underwriting) and 104 explicit monitoring. None of them covers marketing. -#}
{% macro aa_feature_purposes() -%}
    {{ return(['103', '104']) }}
{%- endmacro %}

{#- Spending categories that have a column of their own; every other debit is `other`. -#}
{% macro spend_categories() -%}
    {{ return(['rent', 'utilities', 'groceries', 'cash', 'emi']) }}
{%- endmacro %}
