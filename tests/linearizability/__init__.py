"""Whether what threads were told at once could have been told one by one."""
