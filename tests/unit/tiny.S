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
 *	sN	start the other of N processors (N is a character, of that value) by INIT and
 *		start-up IPI in x2APIC mode, wait until each has come by its own id, power off
 */
	.equ AP_CODE, 0xa000	/* below 1 MiB, where nothing is */
	.equ AP_SEEN, 0xb000	/* a byte for each x2APIC id */

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
	mov (%esi), %bx
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
	cmp $'s', %bl
	je others

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

others:
	mov $ap, %esi
	mov $AP_CODE, %edi
	mov $ap_end - ap, %ecx
	rep movsb
	xor %eax, %eax
	mov $AP_SEEN, %edi
	mov $256, %ecx
	rep stosb
	mov $0x1b, %ecx		/* APIC base: x2APIC mode */
	rdmsr
	or $0x400, %eax
	wrmsr
	mov $0x830, %ecx	/* interrupt command: to all but this one */
	xor %edx, %edx
	mov $0xc4500, %eax	/* INIT */
	wrmsr
	mov $0xc4600 | AP_CODE >> 12, %eax
	wrmsr
	movzbl %bh, %ecx
1:	pause
	cmpb $0, AP_SEEN - 1(%ecx)
	je 1b
	dec %ecx
	cmp $1, %ecx
	ja 1b
	mov $all, %esi
	call say
	jmp off

	.code16
ap:	xor %ax, %ax
	mov %ax, %ds
	mov $0xb, %eax
	xor %ecx, %ecx
	cpuid			/* edx: this one's x2APIC id */
	movb $1, AP_SEEN(%edx)
1:	cli
	hlt
	jmp 1b
ap_end:
	.code32

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
all:
	.asciz "tiny: all are here\n"
none:
	.word 0
	.long 0

	.section .note.GNU-stack, "", @progbits
