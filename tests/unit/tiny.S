/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest of a few instructions, entered through PVH: small enough for a KVM that emulates them all.
 * The first letter of its command line says what it does; it says on COM1 how far it got.
 *
 *	p	power off		b	wait for the power button, then power off
 *	r c k t	reset by ACPI, by port 0xcf9 read-modify-write, by the keyboard controller, by a
 *		triple fault; at its second start power off
 *	h	halt for ever		e	echo input until a full stop, then power off
 *	x	run into nowhere
 */
	.section .note, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	mov $0x7000, %esp
	mov 24(%ebx), %esi
	mov (%esi), %bl
	mov $hello, %esi
	call say
	cmp $'p', %bl
	je off
	cmp $'h', %bl
	je halt
	cmp $'b', %bl
	je button
	cmp $'e', %bl
	je echo
	cmp $'x', %bl
	je nowhere

	/* Which start is this? CMOS memory keeps the answer. */
	mov $0x40, %al
	out %al, $0x70
	in $0x71, %al
	cmp $'2', %al
	je second
	mov $'2', %al
	out %al, $0x71
	/* Something for the reset to undo: an interrupt line that is up. */
	mov $0x3f9, %dx
	mov $2, %al
	out %al, %dx
	cmp $'k', %bl
	je keyboard
	cmp $'t', %bl
	je fault
	mov $0xcf9, %dx
	mov $6, %al
	cmp $'c', %bl
	jne 1f
	in %dx, %al
	or $6, %al
1:	out %al, %dx
	jmp halt
keyboard:
	mov $0xfe, %al
	out %al, $0x64
	jmp halt
fault:
	lidt none
	int3
	jmp halt

second:
	mov $again, %esi
	call say
	mov $0x3f9, %dx
	in %dx, %al
	test %al, %al
	jnz halt
off:
	mov $0x604, %dx
	mov $0x3400, %ax
	out %ax, %dx
halt:
	cli
	hlt
	jmp halt

button:
	mov $0x600, %dx
1:	in %dx, %ax
	test $0x100, %ax
	jz 1b
	mov $pressed, %esi
	call say
	jmp off

echo:
	mov $0x3fd, %dx
	in %dx, %al
	test $1, %al
	jz echo
	mov $0x3f8, %dx
	in %dx, %al
	out %al, %dx
	cmp $'.', %al
	jne echo
	jmp off

nowhere:
	mov $0xc0000000, %eax
	jmp *%eax

say:
	mov $0x3f8, %dx
1:	lodsb
	test %al, %al
	jz 2f
	out %al, %dx
	jmp 1b
2:	ret

hello:
	.asciz "tiny: hello\n"
again:
	.asciz "tiny: again\n"
pressed:
	.asciz "tiny: pressed\n"
none:
	.word 0
	.long 0

	.section .note.GNU-stack, "", @progbits
